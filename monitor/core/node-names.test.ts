import { describe, expect, test } from '@jest/globals';
import { recordedObjectInfo } from '../../test/fakes/recording.ts';
import { displayNamesOf } from '../test-support/simulation.ts';
import { cleanText, formatClassType, nodeName } from './node-names.ts';

const stock = displayNamesOf(recordedObjectInfo());
const named = (classType: string, title?: string): string =>
  nodeName({ classType, title, displayName: stock.get(classType) });

describe('the name of a node', () => {
  test.each([
    ['KSampler', 'K-Sampler'],
    ['KSamplerAdvanced', 'K-Sampler (Advanced)'],
    ['VAEDecode', 'VAE Decoder'],
    ['VAEEncode', 'VAE Encoder'],
    ['CLIPTextEncode', 'CLIP Text Encoder'],
    ['CheckpointLoaderSimple', 'Checkpoint Loader'],
    ['LoadImageMask', 'Load Image (as Mask)'],
    ['ImageBlend', 'Image Blend'],
    ['constructor', 'Constructor'],
  ])('%s is %s', (classType, name) => {
    expect(named(classType)).toBe(name);
  });

  test('is the title that a user chose, but not the one that the editor wrote', () => {
    expect(named('KSampler', 'Refine the face')).toBe('Refine the face');
    expect(named('CLIPTextEncode', 'CLIP Text Encode (Prompt)')).toBe('CLIP Text Encoder');
    expect(named('KSampler', '  ')).toBe('K-Sampler');
  });
});

test.each([
  ['UNETLoader', 'UNET Loader'],
  ['ImageScaleBy', 'Image Scale By'],
  ['easy fullLoader', 'Easy Full Loader'],
  ['VHS_VideoCombine', 'VHS Video Combine'],
  ['load_image_from_url', 'Load Image From Url'],
  ['Load3DAnimation', 'Load3D Animation'],
  ['Wan22ImageToVideoLatent', 'Wan22 Image To Video Latent'],
  ['SamplerDPMPP_3M_SDE', 'Sampler DPMPP 3M SDE'],
  ['', ''],
])('the class name %s reads as %s', (classType, text) => {
  expect(formatClassType(classType)).toBe(text);
});

describe('text for people', () => {
  test('has neither control characters nor direction overrides nor lone surrogates', () => {
    expect(cleanText('a\u202eb\r\nSet-Cookie: x\u0000\ud800')).toBe('a b Set-Cookie: x');
  });

  test('is cut to its limit without splitting a character', () => {
    expect(cleanText(`${'x'.repeat(255)}😀`)).toBe('x'.repeat(255));
    expect(cleanText('y'.repeat(1_000_000))).toHaveLength(256);
  });
});
