/** What was recorded of a real ComfyUI, how each recording ends, and how the simulated one comes to the same end. */
import type { RunFailure } from '../../demo/comfyui/failure-plan.ts';
import type { RecordingName } from '../fakes/recording.ts';

export interface Case {
  readonly name: RecordingName;
  /** What the simulated ComfyUI must suffer for it, after so many steps. */
  readonly failure?: readonly [kind: RunFailure, afterSteps: number];
  /** Nodes of the workflow whose results are cached already. */
  readonly cached?: readonly string[];
  readonly ends: Ending;
}

export interface Ending {
  readonly status: 'completed' | 'failed';
  /** Node, key, index, kind and media type of each output. */
  readonly outputs: readonly string[];
  /** Reason, and id, name and class of the node that failed. */
  readonly failure?: readonly (string | undefined)[];
  readonly error?: RegExp;
}

const PICTURE = '9 images 0 image image/png';
const COMPLETED: Ending = { status: 'completed', outputs: [PICTURE] };
export const cases: readonly Case[] = [
  { name: 'text-to-image', ends: COMPLETED },
  { name: 'cached-rerun', cached: ['3', '4', '5', '6', '7', '8', '9'], ends: COMPLETED },
  {
    name: 'batch-and-temp-preview',
    ends: { status: 'completed', outputs: [PICTURE, '9 images 1 image image/png'] },
  },
  { name: 'model-free-fast', ends: { status: 'completed', outputs: ['3 images 0 image image/png'] } },
  {
    name: 'execution-error',
    ends: {
      status: 'failed',
      outputs: [],
      failure: ['nodeError', '1', 'Load Image', 'LoadImage'],
      error: /^Load Image: cannot identify image file '\/comfyui\/input\/broken\.png'$/,
    },
  },
  {
    name: 'out-of-memory',
    cached: ['3', '4'],
    ends: {
      status: 'failed',
      outputs: [],
      failure: ['outOfMemory', '1', 'Probe Err', 'ProbeErr'],
      error: /^Probe Err: CUDA out of memory/,
    },
  },
  {
    name: 'animated-and-audio-and-text-outputs',
    ends: {
      status: 'completed',
      outputs: [
        '2 images 0 animated image/webp',
        '3 images 0 animated image/apng',
        '5 images 0 video video/mp4',
        '6 images 0 video video/webm',
        '7 text 0 text text/plain; charset=utf-8',
      ],
    },
  },
  {
    name: 'interrupted',
    failure: ['interrupt', 2],
    ends: {
      status: 'failed',
      outputs: [],
      failure: ['interrupted', undefined, undefined, undefined],
      error: /^the prompt was interrupted on its worker$/,
    },
  },
  { name: 'bare-nan-in-frames', ends: { status: 'completed', outputs: [] } },
  { name: 'reconnect-mid-run', failure: ['drop-socket', 2], ends: COMPLETED },
  { name: 'socket-lost-until-end', failure: ['drop-socket', 1], ends: COMPLETED },
];
