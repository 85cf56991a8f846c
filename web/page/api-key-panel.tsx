import { useState, type ReactElement } from 'react';

/** Shown when the API answers 401. */
export interface ApiKeyPanelProps {
  /** A key was sent, and it was not accepted. */
  readonly refused: boolean;
  readonly onKey: (key: string) => void;
}

export const ApiKeyPanel = ({ refused, onKey }: ApiKeyPanelProps): ReactElement => {
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
      {refused && (
        <p className="alert" role="alert">
          This key is not accepted: it is mistyped, has expired or was revoked.
        </p>
      )}
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
