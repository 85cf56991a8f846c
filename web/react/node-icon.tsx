/** A picture for each kind of node, drawn here: no font, no file. */
import type { ReactElement } from 'react';

export type NodeCategory =
  | 'load'
  | 'encode'
  | 'sample'
  | 'decode'
  | 'save'
  | 'image'
  | 'video'
  | 'audio'
  | 'latent'
  | 'control'
  | 'other';

/** The first that fits: what a node does counts before what it does it with. */
const RULES: readonly (readonly [NodeCategory, RegExp])[] = [
  ['save', /^save|save$|preview|videocombine|export/i],
  ['load', /load|checkpoint/i],
  ['decode', /decode/i],
  ['control', /control|adapter|pose|canny|depth|inpaintmodel/i],
  ['sample', /sampl|schedul|guider|noise|sigma/i],
  ['encode', /encode|clip|condition|prompt|text/i],
  ['video', /video|animat|frame|gif|webm/i],
  ['audio', /audio|sound|music|voice|speech/i],
  ['latent', /latent/i],
  ['image', /image|mask|upscale|crop|resize|pixel|color/i],
];

/** Of a `class_type`, by its words. */
export const nodeCategory = (nodeType: string): NodeCategory =>
  RULES.find(([, words]) => words.test(nodeType))?.[0] ?? 'other';

/** Strokes on a field of 24 by 24. */
const PATHS: Readonly<Record<NodeCategory, string>> = {
  load: 'M4 8.5V6a2 2 0 0 1 2-2h3.2l2 2.5H18a2 2 0 0 1 2 2V18a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-3M3 12h9m-3-3 3 3-3 3',
  encode: 'M5 6.5V5h9v1.5M9.5 5v9M7.5 14h4M15 12h5M15 15.5h5M4 19h16',
  sample:
    'M12 3.5l1.7 4.8 4.8 1.7-4.8 1.7L12 16.5l-1.7-4.8L5.5 10l4.8-1.7zM18.5 16v4M16.5 18h4M5.5 17v3M4 18.5h3',
  decode: 'M4 5h5v5H4zM4 14h5v5H4zM13 12h7m-3-3 3 3-3 3M9 7.5h2.5v9H9',
  save: 'M12 4v10m-4-4 4 4 4-4M4.5 15v3a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-3',
  image:
    'M6 4.5h12a2 2 0 0 1 2 2v11a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-11a2 2 0 0 1 2-2zM4.5 17l4.5-5 4 4 2.5-2.5 4 4M15.2 9h.6',
  video: 'M5.5 6h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-8a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2zM15.5 11l5-3v8l-5-3',
  audio: 'M4 10v4M8 6.5v11M12 9v6M16 4.5v15M20 10v4',
  latent: 'M12 3.5l8 4.5v8l-8 4.5L4 16V8zM4 8l8 4.5L20 8M12 12.5v8',
  control: 'M4 7h8M16 7h4M14 5v4M4 12h3M11 12h9M9 10v4M4 17h9M17 17h3M15 15v4',
  other:
    'M7 5h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM2.5 12H5M19 12h2.5M9.5 12h5',
};

/** Says nothing to a screen reader: the name of the node stands beside it. */
export const NodeIcon = ({ nodeType }: { readonly nodeType: string }): ReactElement => {
  const category = nodeCategory(nodeType);
  return (
    <svg className="gc-icon" viewBox="0 0 24 24" aria-hidden="true" data-category={category}>
      <path d={PATHS[category]} />
    </svg>
  );
};
