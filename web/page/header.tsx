import type { ReactElement } from 'react';
import type { Connection } from '../client/client-contract.ts';
import { hrefOf, type Route } from './routing.ts';
import { useTheme, type Theme } from './theme.ts';
import { Icon, type IconName } from './ui/icon.tsx';

const CONNECTIONS: Readonly<Record<Connection, string>> = {
  idle: 'No live jobs',
  connecting: 'Connecting',
  open: 'Live',
  reconnecting: 'Reconnecting',
  polling: 'Polling',
  closed: 'Closed',
};

/** What it means, for whoever wonders. */
const EXPLAINED: Readonly<Record<Connection, string>> = {
  idle: 'No unfinished job: the live connection opens with the next one.',
  connecting: 'The live connection is being opened.',
  open: 'News of your jobs arrive as they happen.',
  reconnecting: 'The live connection was lost and is being restored. Your jobs go on.',
  polling: 'There is no live connection: the task API is asked every few seconds instead. Your jobs go on.',
  closed: 'The connection was closed.',
};

const LINKS = [
  ['create', 'Create'],
  ['gallery', 'Gallery'],
  ['workers', 'Workers'],
  ['events', 'Events'],
] as const;

const THEME_ICONS: Readonly<Record<Theme, IconName>> = { system: 'system', light: 'sun', dark: 'moon' };

const ThemeSwitch = (): ReactElement => {
  const [theme, next] = useTheme();
  return (
    <button
      type="button"
      className="button icon-button"
      data-testid="theme"
      aria-label={`Colours: ${theme}. Change`}
      title={`Colours: ${theme}`}
      onClick={next}
    >
      <Icon name={THEME_ICONS[theme]} />
    </button>
  );
};

export const Header = ({
  route,
  connection,
}: {
  readonly route: Route;
  readonly connection: Connection;
}): ReactElement => (
  <header className="top">
    <a className="brand" href={hrefOf({ view: 'create' })} aria-label="ComfyUI pipeline, first page">
      <span className="brand-mark" aria-hidden="true" />
      <span className="brand-name">ComfyUI pipeline</span>
    </a>
    <nav aria-label="Views">
      {LINKS.map(([view, label]) => (
        <a key={view} href={hrefOf({ view })} aria-current={route.view === view ? 'page' : undefined}>
          {label}
        </a>
      ))}
    </nav>
    <div className="top-end">
      <span
        className="connection"
        data-testid="connection"
        data-state={connection}
        role="status"
        title={EXPLAINED[connection]}
      >
        {CONNECTIONS[connection]}
      </span>
      <ThemeSwitch />
    </div>
  </header>
);
