/** Opens pictures that are shown inside it at full size instead of in a tab of their own. */
import { useState, type MouseEvent, type ReactElement, type ReactNode } from 'react';
import type { StoredOutput } from '../../../shared-types/index.ts';
import { Lightbox } from './lightbox.tsx';

export interface OutputsInLightboxProps {
  readonly outputs: readonly StoredOutput[];
  readonly jobId: string | null;
  readonly children: ReactNode;
}

/** With a modifier or another button, the link does what links do. */
const isPlainClick = (event: MouseEvent): boolean =>
  event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

export const OutputsInLightbox = ({ outputs, jobId, children }: OutputsInLightboxProps): ReactElement => {
  const [shown, setShown] = useState<number>();
  const onClick = (event: MouseEvent): void => {
    const link = (event.target as Element).closest('a.gc-picture-link');
    const at = outputs.findIndex(({ src }) => src === link?.getAttribute('href'));
    if (at < 0 || !isPlainClick(event)) return;
    event.preventDefault();
    setShown(at);
  };
  return (
    <div onClickCapture={onClick}>
      {children}
      {shown !== undefined && (
        <Lightbox
          items={outputs.map((output) => ({ output, jobId }))}
          at={shown}
          onMove={setShown}
          onClose={() => setShown(undefined)}
        />
      )}
    </div>
  );
};
