/** One output as what it is: picture, video, sound, text, or a link to download it. */
import { useEffect, useState, type ReactElement } from 'react';
import type { StoredOutput } from '../../shared-types/index.ts';

/** Longer texts are cut; the link has the whole of it. */
const MAX_SHOWN_TEXT = 20_000;
/** Only stands in for the page's own address, which is not known where a server renders. */
const SOME_BASE = 'https://page.invalid';

/** The address when it is one to fetch (http, https or relative), else undefined: no `javascript:` from outside. */
export const safeUrl = (src: string): string | undefined => {
  try {
    const { protocol } = new URL(src, SOME_BASE);
    return protocol === 'https:' || protocol === 'http:' ? src : undefined;
  } catch {
    return undefined;
  }
};

/** `421 KB`, in powers of ten as disks and downloads count. */
export const sizeText = (bytes: number): string => {
  if (bytes < 1000) return `${bytes} B`;
  const [divisor, unit] =
    bytes < 1e6 ? ([1e3, 'KB'] as const) : bytes < 1e9 ? ([1e6, 'MB'] as const) : ([1e9, 'GB'] as const);
  const value = bytes / divisor;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
};

/** Drawn: not every font has the sign. */
const DownArrow = (): ReactElement => (
  <svg viewBox="0 0 12 12" aria-hidden="true">
    <path d="M6 1v10M2 7l4 4 4-4" />
  </svg>
);

const DownloadLink = ({ output, href }: { output: StoredOutput; href: string | undefined }): ReactElement => {
  const label = `${output.filename}${output.size > 0 ? ` · ${sizeText(output.size)}` : ''}`;
  if (href === undefined) return <span className="gc-file">{label}</span>;
  return (
    <a className="gc-file" href={href} download={output.filename} target="_blank" rel="noopener noreferrer">
      <DownArrow /> {label}
    </a>
  );
};

const loadText = async (href: string, signal: AbortSignal): Promise<string> => {
  const response = await fetch(href, { signal });
  if (!response.ok) throw new Error(`the text was answered with ${response.status}`);
  return (await response.text()).slice(0, MAX_SHOWN_TEXT);
};

const TextOutput = ({ href }: { href: string }): ReactElement => {
  const [text, setText] = useState('…');
  useEffect(() => {
    const leaving = new AbortController();
    loadText(href, leaving.signal).then(setText, () => {
      if (!leaving.signal.aborted) setText('The text could not be loaded.');
    });
    return () => leaving.abort();
  }, [href]);
  return (
    <pre className="gc-text" tabIndex={0}>
      {text}
    </pre>
  );
};

interface MediumProps {
  readonly output: StoredOutput;
  readonly href: string;
  readonly testId: string;
}

export interface PlayerProps {
  readonly output: StoredOutput;
  readonly href: string;
  readonly autoPlay?: boolean;
}

const Picture = ({ output, href, testId }: MediumProps): ReactElement => {
  const [broken, setBroken] = useState(false);
  if (broken) return <p className="gc-broken">The picture could not be loaded.</p>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer" className="gc-picture-link">
      <img
        data-testid={testId}
        src={href}
        alt={`Generated: ${output.filename}`}
        onError={() => setBroken(true)}
      />
    </a>
  );
};

/** A clip or a sound. Not every browser has every codec: the player then stays empty without a word of its own. */
export const Player = ({ output, href, autoPlay }: PlayerProps): ReactElement => {
  const [broken, setBroken] = useState(false);
  const shared = { src: href, controls: true, onError: () => setBroken(true) };
  return (
    <>
      {output.mimeType.startsWith('audio/') ? (
        <audio {...shared} />
      ) : (
        // Generated clips have no captions to offer; muted and looped they play as moving pictures.
        <video {...shared} autoPlay={autoPlay} loop muted playsInline />
      )}
      {broken && <p className="gc-broken">This browser cannot play it. Download it instead.</p>}
    </>
  );
};

const Medium = ({ output, href, testId }: MediumProps): ReactElement | null => {
  const { mimeType } = output;
  if (mimeType.startsWith('image/')) return <Picture output={output} href={href} testId={testId} />;
  if (mimeType.startsWith('video/') || mimeType.startsWith('audio/'))
    return <Player output={output} href={href} />;
  if (mimeType.startsWith('text/plain')) return <TextOutput href={href} />;
  return null;
};

export interface OutputViewProps {
  readonly output: StoredOutput;
  /** Of the picture, when it is one. */
  readonly testId?: string;
}

export const OutputView = ({ output, testId = 'picture' }: OutputViewProps): ReactElement => {
  const href = safeUrl(output.src);
  return (
    <figure className="gc-output">
      {href !== undefined && <Medium key={href} output={output} href={href} testId={testId} />}
      <figcaption>
        <DownloadLink output={output} href={href} />
      </figcaption>
    </figure>
  );
};
