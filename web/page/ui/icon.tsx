/** Drawn: not every font has the signs. */
import type { ReactElement } from 'react';

const PATHS = {
  download: 'M8 2v8M4.5 7 8 10.5 11.5 7M3 13.5h10',
  link: 'M6.5 9.5 9.5 6.5M7 4.5l1-1a2.8 2.8 0 0 1 4 4l-1 1M9 11.5l-1 1a2.8 2.8 0 0 1-4-4l1-1',
  reuse: 'M3 8a5 5 0 0 1 8.5-3.5L13 6M13 3v3h-3M13 8a5 5 0 0 1-8.5 3.5L3 10M3 13v-3h3',
  close: 'M4 4l8 8M12 4l-8 8',
  left: 'M10 3 5 8l5 5',
  right: 'M6 3l5 5-5 5',
  retry: 'M13 8a5 5 0 1 1-1.5-3.5L13 6M13 2.5V6H9.5',
  image: 'M2.5 3.5h11v9h-11zM2.5 10.5l3-3 3 3 2-2 3 3M10.5 6.2v.1',
  audio:
    'M6 12V4l6-1.5v8M6 12a1.8 1.5 0 1 1-3.6 0A1.8 1.5 0 0 1 6 12zM12 10.5a1.8 1.5 0 1 1-3.6 0 1.8 1.5 0 0 1 3.6 0z',
  video: 'M2 4h8.5v8H2zM10.5 7 14 5v6l-3.5-2',
  text: 'M3 4h10M3 7h10M3 10h7M3 13h5',
  file: 'M4 2h5l3.5 3.5V14H4zM9 2v3.5h3.5',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'M5 3l8 5-8 5z',
  clock: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.3',
  check: 'M3 8.5 6.5 12 13 4.5',
  alert: 'M8 2.5 14 13H2zM8 6.5v3M8 11.2v.1',
  stop: 'M4.5 4.5h7v7h-7z',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9',
  moon: 'M13 9.3A5.5 5.5 0 0 1 6.7 3 5.5 5.5 0 1 0 13 9.3z',
  system: 'M2.5 3.5h11v7.5h-11zM6 13.5h4M8 11v2.5',
  upload: 'M8 11V3M4.5 6 8 2.5 11.5 6M3 13.5h10',
  open: 'M6 3.5H3v9.5h9.5V10M9 2.5h4.5V7M13.5 2.5 7.5 8.5',
  dice: 'M3 3h10v10H3zM6 6v.1M10 6v.1M6 10v.1M10 10v.1M8 8v.1',
  copy: 'M5.5 5.5h7.5v7.5H5.5zM10.5 5.5V3H3v7.5h2.5',
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { readonly name: IconName }): ReactElement => (
  <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
);
