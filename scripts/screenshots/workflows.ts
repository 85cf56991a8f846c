/** Workflows that only pictures need: several nodes at once, a clip, a sound. */
import { textToImage, type Workflow } from '../../test/support/workflows.ts';

const node = (class_type: string, title: string, inputs: Record<string, unknown>): Workflow[string] => ({
  class_type,
  inputs,
  _meta: { title },
});

/** Three branches that run side by side. */
export const sideBySide: Workflow = {
  '1': node('DemoParallel', 'Upscale left', { steps: 30, delay: 0.15 }),
  '2': node('DemoParallel', 'Upscale right', { steps: 20, delay: 0.15 }),
  '3': node('DemoParallel', 'Face detail', { steps: 12, delay: 0.15 }),
  '4': node('ProbeOut', 'Left', { v: ['1', 0] }),
  '5': node('ProbeOut', 'Right', { v: ['2', 0] }),
  '6': node('ProbeOut', 'Face', { v: ['3', 0] }),
};

/** A clip (WebM, which every Chromium plays) and a sound. */
export const clipAndSound: Workflow = {
  ...textToImage({ steps: 4, seed: 11, size: 128, text: 'waves rolling onto a beach' }),
  '9': node('SaveWEBM', 'Save clip', {
    images: ['8', 0],
    filename_prefix: 'waves',
    codec: 'vp9',
    fps: 8,
    crf: 32,
  }),
  '20': node('EmptyAudio', 'Tone', { duration: 3, sample_rate: 44_100, channels: 2 }),
  '21': node('SaveAudio', 'Save sound', { audio: ['20', 0], filename_prefix: 'waves' }),
};

/** As the editor saves it, which no ComfyUI takes over its API. */
export const editorFormat = {
  last_node_id: 9,
  nodes: [{ id: 3, type: 'KSampler' }],
  links: [],
  version: 0.4,
};
