import { useState, type ReactElement } from 'react';

/** Shown when the API answers 401. */
export const ApiKeyPanel = ({ onKey }: { readonly onKey: (key: string) => void }): ReactElement => {
  const [key, setKey] = useState('');
  return (
    <form
      className="card api-key"
      aria-labelledby="api-key-title"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim() !== '') onKey(key.trim());
      }}
    >
      <h2 id="api-key-title">This pipeline asks for an API key</h2>
      <p className="note">
        Make one with POST /api/v1/keys, or ask your operator. It stays in this tab and is forgotten when you
        close it.
      </p>
      <div className="picker-row">
        <input
          type="password"
          aria-label="API key"
          autoComplete="off"
          data-testid="api-key"
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
        <button type="submit" className="button button-main" disabled={key.trim() === ''}>
          Use this key
        </button>
      </div>
    </form>
  );
};
