/** One output at full size, over the page. The dialog element keeps the focus inside and gives it back. */
import { useLayoutEffect, useRef, type KeyboardEvent, type ReactElement } from 'react';
import type { StoredOutput } from '../../../shared-types/index.ts';
import { Player, safeUrl, sizeText } from '../../react/output-view.tsx';
import { useActions } from '../page-services.ts';
import { hrefOf } from '../routing.ts';
import { Icon } from './icon.tsx';
import { TextFile } from './text-file.tsx';
import { absoluteUrl, copyText, downloadOutput } from './take-away.ts';
import './lightbox.css';

export interface LightboxItem {
  readonly output: StoredOutput;
  readonly jobId: string | null;
}

export interface LightboxProps {
  readonly items: readonly LightboxItem[];
  readonly at: number;
  readonly onMove: (at: number) => void;
  readonly onClose: () => void;
}

const Medium = ({ output }: { readonly output: StoredOutput }): ReactElement => {
  const href = safeUrl(output.src);
  const { mimeType, filename } = output;
  if (href === undefined) return <p>This output has no address to show it from.</p>;
  if (mimeType.startsWith('image/'))
    return <img src={href} alt={`Generated: ${filename}`} data-testid="full-picture" />;
  if (mimeType.startsWith('video/') || mimeType.startsWith('audio/'))
    return <Player output={output} href={href} autoPlay />;
  if (mimeType.startsWith('text/plain')) return <TextFile href={href} />;
  return <p>{filename} cannot be shown here. Download it.</p>;
};

const Tools = ({
  item,
  onClose,
}: {
  readonly item: LightboxItem;
  readonly onClose: () => void;
}): ReactElement => {
  const { say, reuse } = useActions();
  const { output, jobId } = item;
  const copyLink = async (): Promise<void> => {
    const url = absoluteUrl(output.src);
    say((await copyText(url)) ? 'Link copied' : `Copying is not allowed here: ${url}`);
  };
  return (
    <div className="lightbox-tools">
      <button type="button" className="button" onClick={() => void downloadOutput(output)}>
        <Icon name="download" /> Download
      </button>
      <button type="button" className="button" onClick={() => void copyLink()}>
        <Icon name="link" /> Copy link
      </button>
      {jobId !== null && (
        <>
          <button
            type="button"
            className="button"
            onClick={() => {
              onClose();
              void reuse({ id: jobId });
            }}
          >
            <Icon name="reuse" /> Reuse settings
          </button>
          <a className="button" href={hrefOf({ view: 'job', jobId })} onClick={onClose}>
            <Icon name="open" /> Open job
          </a>
        </>
      )}
    </div>
  );
};

export const Lightbox = ({ items, at, onMove, onClose }: LightboxProps): ReactElement | null => {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const shown = dialog.current;
    // What had the focus is remembered by the browser, and gets it back when the dialog closes.
    if (shown !== null && !shown.open) shown.showModal();
    return () => shown?.close();
  }, []);
  const item = items[at];
  if (item === undefined) return null;
  const move = (by: number): void => onMove((at + by + items.length) % items.length);
  const onKeyDown = (event: KeyboardEvent): void => {
    // A player's own keys stay its own.
    if ((event.target as Element).matches('video, audio')) return;
    if (event.key === 'ArrowLeft') move(-1);
    else if (event.key === 'ArrowRight') move(1);
    else return;
    event.preventDefault();
  };
  const { output } = item;
  return (
    <dialog
      ref={dialog}
      className="lightbox"
      aria-label={`${output.filename}, ${at + 1} of ${items.length}`}
      data-testid="lightbox"
      onKeyDown={onKeyDown}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="lightbox-head">
        <p>
          <strong>{output.filename}</strong>{' '}
          <span className="note">
            {sizeText(output.size)} · {at + 1} of {items.length}
          </span>
        </p>
        <button type="button" className="button icon-button" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </div>
      <div className="lightbox-medium" key={output.outputId}>
        {items.length > 1 && (
          <button
            type="button"
            className="button icon-button lightbox-left"
            aria-label="Previous"
            onClick={() => move(-1)}
          >
            <Icon name="left" />
          </button>
        )}
        <Medium output={output} />
        {items.length > 1 && (
          <button
            type="button"
            className="button icon-button lightbox-right"
            aria-label="Next"
            onClick={() => move(1)}
          >
            <Icon name="right" />
          </button>
        )}
      </div>
      <Tools item={item} onClose={onClose} />
    </dialog>
  );
};
