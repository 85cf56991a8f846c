import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { PNG } from 'pngjs';
import { encodeFlac } from './flac.ts';
import { withNoise } from './picture/preview.ts';
import { renderPicture, renderPictureSync } from './picture/render.ts';
import { encodeAnimatedPng, encodePng } from './png.ts';
import type { SimulatedComfyUi } from './simulated-comfyui.ts';
import { startSimulatedComfyUi } from './simulated-comfyui.ts';
import { finished, flatImage, submit } from './test-support/test-client.ts';
import type { PictureRequest, Pixels } from './values.ts';

// Generous: it is only waited out by a test that fails.
jest.setTimeout(90_000);

function request(text: string, seed = 7n): PictureRequest {
  return { text, negativeText: '', seed, steps: 20, cfg: 8 };
}

/** Mean difference of two pictures of one size, 0 to 255 a channel. */
function distance(a: Pixels, b: Pixels): number {
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;
}

describe('the picture', () => {
  test('is the same for the same words and seed, whichever way it is drawn', async () => {
    const slow = await renderPicture(request('a lake'), 96, 80);
    expect(Buffer.from(slow.data).equals(renderPictureSync(request('a lake'), 96, 80).data)).toBe(true);
  });

  test('differs clearly for other words and for another seed', () => {
    const one = renderPictureSync(request('purple galaxy bottle'), 64, 64);
    expect(distance(one, renderPictureSync(request('sunset over the ocean'), 64, 64))).toBeGreaterThan(25);
    expect(distance(one, renderPictureSync(request('purple galaxy bottle', 8n), 64, 64))).toBeGreaterThan(4);
    expect(
      distance(one, renderPictureSync(request('purple galaxy bottle', 2n ** 64n - 1n), 64, 64)),
    ).toBeGreaterThan(4);
  });

  test.each(['desert', 'aurora', 'forest', 'snow', '', '世界', 'red glass flask by the sea'])(
    'of %j uses many colours',
    (text) => {
      const { data } = renderPictureSync(request(text), 48, 48);
      const colours = new Set<number>();
      for (let i = 0; i < data.length; i += 3)
        colours.add((data[i]! << 16) | (data[i + 1]! << 8) | data[i + 2]!);
      expect(colours.size).toBeGreaterThan(300);
    },
  );

  test('shines through the noise of a preview more with every step', () => {
    const clean = renderPictureSync(request('a lake'), 48, 48);
    const gaps = [0.1, 0.4, 0.7, 1].map((done) => distance(clean, withNoise(clean, done, 3)));
    expect(gaps).toEqual([...gaps].sort((a, b) => b - a));
    expect(gaps.at(-1)).toBeLessThan(1);
  });
});

test('a PNG gives back every pixel and its texts', async () => {
  const pixels = renderPictureSync(request('a lake'), 31, 17);
  const bytes = await encodePng(pixels, new Map([['prompt', '{"a": 1}']]));
  const read = PNG.sync.read(bytes);
  const rgb = [...read.data].filter((_, i) => i % 4 !== 3);
  expect([read.width, read.height]).toEqual([31, 17]);
  expect(rgb).toEqual([...pixels.data]);
  expect(bytes.includes('tEXtprompt\0{"a": 1}')).toBe(true);
});

test('an animated PNG counts its frames and reads as a PNG', async () => {
  const frames = [1n, 2n, 3n].map((seed) => renderPictureSync(request('x', seed), 8, 8));
  const bytes = await encodeAnimatedPng(frames, 6);
  expect(bytes.readUInt32BE(bytes.indexOf('acTL') + 4)).toBe(3);
  expect(bytes.toString('latin1').split('fcTL')).toHaveLength(4);
  expect(bytes.toString('latin1').split('fdAT')).toHaveLength(3);
  expect(PNG.sync.read(bytes).width).toBe(8);
});

test('a FLAC file says how long it is and holds whole frames', () => {
  const bytes = encodeFlac({ kind: 'audio', sampleRate: 8000, channels: 2, seconds: 1 });
  expect(bytes.toString('latin1', 0, 4)).toBe('fLaC');
  expect(Number(bytes.readBigUInt64BE(18) & 0xfffffffffn)).toBe(8000);
  expect(bytes.readUInt16BE(42)).toBe(0xfff8);
});

test.each([
  [8000, 0x0d, 8000],
  [44_100, 0x0d, 44_100],
  [96_000, 0x0e, 9600],
])(
  'each frame of a FLAC file of %i Hz has the rate, without which no browser plays it',
  (sampleRate, code, coded) => {
    const bytes = encodeFlac({ kind: 'audio', sampleRate, channels: 2, seconds: 1 });
    // Behind the sync: codes of block size and rate, channels, frame number 0, then both in two bytes each.
    expect(bytes.readUInt8(44) & 0x0f).toBe(code);
    expect(bytes.readUInt16BE(49)).toBe(coded);
  },
);

describe('files on disk', () => {
  let pod: SimulatedComfyUi;
  beforeAll(async () => {
    pod = await startSimulatedComfyUi({ stepDelayMs: 0 });
  });
  afterAll(() => pod.close());

  const source = { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 2, color: 255 } };

  test.each<[string, Record<string, unknown>, string, string]>([
    ['SaveAnimatedWEBP', { fps: 6, lossless: true, quality: 80, method: 'default' }, 'images', 'RIFF'],
    ['SaveAnimatedPNG', { fps: 6, compress_level: 4 }, 'images', 'PNG'],
    ['SaveWEBM', { codec: 'vp9', fps: 8, crf: 32 }, 'images', 'webm'],
  ])('%s writes a file of its kind', async (className, inputs, key, magic) => {
    const node = {
      class_type: className,
      inputs: { ...inputs, images: ['1', 0], filename_prefix: className },
    };
    const entry = await finished(pod, await submit(pod, { '1': source, '2': node }));
    const item = entry.outputs['2']![key]![0] as { filename: string };
    expect(readFileSync(path.join(pod.outputDir, item.filename)).toString('latin1', 0, 64)).toContain(magic);
    expect(entry.outputs['2']!['animated']).toEqual([true]);
  });

  test('SaveVideo and SaveAudio name their files in subfolders', async () => {
    const entry = await finished(
      pod,
      await submit(pod, {
        '1': source,
        '2': { class_type: 'CreateVideo', inputs: { images: ['1', 0], fps: 8 } },
        '3': {
          class_type: 'SaveVideo',
          inputs: { video: ['2', 0], filename_prefix: 'video/clip', format: 'mp4', codec: 'h264' },
        },
        '4': { class_type: 'EmptyAudio', inputs: { duration: 0.1, sample_rate: 8000, channels: 1 } },
        '5': { class_type: 'SaveAudio', inputs: { audio: ['4', 0], filename_prefix: 'audio/tone' } },
      }),
    );
    expect(entry.outputs['3']!['images']).toEqual([
      { filename: 'clip_00001_.mp4', subfolder: 'video', type: 'output' },
    ]);
    expect(entry.outputs['5']!['audio']).toEqual([
      { filename: 'tone_00001_.flac', subfolder: 'audio', type: 'output' },
    ]);
    expect(readFileSync(path.join(pod.outputDir, 'video/clip_00001_.mp4')).toString('latin1', 4, 8)).toBe(
      'ftyp',
    );
  });

  test('a saved picture can be uploaded, loaded, changed and encoded again', async () => {
    const form = new FormData();
    const png = await encodePng(renderPictureSync(request('a lake'), 40, 24));
    form.set('image', new Blob([new Uint8Array(png)]), 'mine.png');
    await fetch(`${pod.url}/upload/image`, { method: 'POST', body: form });
    const entry = await finished(
      pod,
      await submit(pod, {
        '1': { class_type: 'LoadImage', inputs: { image: 'mine.png' } },
        '2': {
          class_type: 'ImageScale',
          inputs: { image: ['1', 0], upscale_method: 'bilinear', width: 32, height: 32, crop: 'center' },
        },
        '3': { class_type: 'ImageInvert', inputs: { image: ['2', 0] } },
        '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'flux1-dev-fp8.safetensors' } },
        '5': { class_type: 'VAEEncode', inputs: { pixels: ['3', 0], vae: ['4', 2] } },
        '6': { class_type: 'VAEDecode', inputs: { samples: ['5', 0], vae: ['4', 2] } },
        '7': { class_type: 'PreviewImage', inputs: { images: ['6', 0] } },
      }),
    );
    const [item] = entry.outputs['7']!['images'] as Array<{ filename: string; type: string }>;
    expect(item).toMatchObject({ type: 'temp' });
    const bytes = await (await fetch(`${pod.url}/view?filename=${item!.filename}&type=temp`)).arrayBuffer();
    expect(PNG.sync.read(Buffer.from(bytes))).toMatchObject({ width: 32, height: 32 });
  });
});

test('a picture carries its prompt and the workflow it was sent with', async () => {
  const pod = await startSimulatedComfyUi({ stepDelayMs: 0 });
  const workflow = { nodes: [{ id: 1, title: 'größer' }], version: 0.4 };
  await finished(pod, await submit(pod, flatImage(1), { extra_data: { extra_pnginfo: { workflow } } }));
  const bytes = readFileSync(path.join(pod.outputDir, 'flat_00001_.png')).toString('latin1');
  expect(bytes).toContain('tEXtprompt\0{"1": {"class_type": "EmptyImage"');
  expect(bytes).toContain(
    'tEXtworkflow\0{"nodes": [{"id": 1, "title": "gr\\u00f6\\u00dfer"}], "version": 0.4}',
  );
  await pod.close();
});
