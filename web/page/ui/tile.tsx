/** One output, small: a picture, a playing clip's first frame, or a sign for what it is. */
import { useState, type ReactElement } from 'react';
import type { StoredOutput } from '../../../shared-types/index.ts';
import { safeUrl } from '../../react/output-view.tsx';
import { Icon, type IconName } from './icon.tsx';

const iconOf = ({ mimeType }: StoredOutput): IconName => {
  const kind = (['image', 'video', 'audio', 'text'] as const).find((name) => mimeType.startsWith(`${name}/`));
  return kind ?? 'file';
};

export const Thumbnail = ({
  output,
  testId,
}: {
  readonly output: StoredOutput;
  readonly testId?: string;
}): ReactElement => {
  const [broken, setBroken] = useState(false);
  const href = safeUrl(output.src);
  if (href !== undefined && !broken && output.mimeType.startsWith('image/')) {
    return (
      <img
        src={href}
        alt=""
        loading="lazy"
        decoding="async"
        data-testid={testId}
        onError={() => setBroken(true)}
      />
    );
  }
  if (href !== undefined && output.mimeType.startsWith('video/')) {
    return <video src={href} muted playsInline preload="metadata" aria-hidden="true" tabIndex={-1} />;
  }
  return <Icon name={iconOf(output)} />;
};
