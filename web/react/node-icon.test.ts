import { expect, test } from '@jest/globals';
import { nodeCategory } from './node-icon.tsx';

test.each([
  ['CheckpointLoaderSimple', 'load'],
  ['LoadImage', 'load'],
  ['ControlNetLoader', 'load'],
  ['CLIPTextEncode', 'encode'],
  ['VAEEncode', 'encode'],
  ['ConditioningCombine', 'encode'],
  ['KSampler', 'sample'],
  ['SamplerCustomAdvanced', 'sample'],
  ['BasicScheduler', 'sample'],
  ['RandomNoise', 'sample'],
  ['VAEDecode', 'decode'],
  ['VAEDecodeAudio', 'decode'],
  ['SaveImage', 'save'],
  ['PreviewImage', 'save'],
  ['SaveAnimatedWEBP', 'save'],
  ['VHS_VideoCombine', 'save'],
  ['ImageScale', 'image'],
  ['ImageUpscaleWithModel', 'image'],
  ['CreateVideo', 'video'],
  ['AudioConcat', 'audio'],
  ['EmptyLatentImage', 'latent'],
  ['LatentUpscale', 'latent'],
  ['ControlNetApplyAdvanced', 'control'],
  ['IPAdapterAdvanced', 'control'],
  ['PrimitiveInt', 'other'],
  ['', 'other'],
])('%s is of the kind %s', (type, category) => {
  expect(nodeCategory(type)).toBe(category);
});
