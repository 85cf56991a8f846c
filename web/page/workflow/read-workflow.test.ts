import { deflateSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { PNG } from 'pngjs';
import { MAX_TEXT_BYTES, pngTexts } from './png-text.ts';
import { readWorkflowFile, readWorkflowText, withoutBareNumbers } from './read-workflow.ts';

const WORKFLOW = '{"3":{"class_type":"KSampler","inputs":{"seed":18446744073709551615}}}';
const UI = '{"nodes":[],"links":[],"version":0.4}';

const chunk = (type: string, data: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(data);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  // The checksum is nobody's business here: a picture with a wrong one still carries its workflow.
  return Buffer.concat([length, Buffer.from(type, 'latin1'), bytes, Buffer.alloc(4)]);
};
const picture = PNG.sync.write(new PNG({ width: 2, height: 2 }));
/** A real picture with these chunks behind its header. */
const png = (...chunks: Buffer[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat([picture.subarray(0, 33), ...chunks, picture.subarray(33)]));
const tEXt = (keyword: string, text: string): Buffer => chunk('tEXt', `${keyword}\0${text}`);
const zTXt = (keyword: string, text: string): Buffer =>
  chunk('zTXt', Buffer.concat([Buffer.from(`${keyword}\0\0`), deflateSync(text)]));
const iTXt = (keyword: string, text: string, compressed: boolean): Buffer =>
  chunk(
    'iTXt',
    Buffer.concat([
      Buffer.from([...Buffer.from(`${keyword}\0`), compressed ? 1 : 0, 0]),
      Buffer.from('en\0translated\0'),
      compressed ? deflateSync(text) : Buffer.from(text),
    ]),
  );
const readPng = (...chunks: Buffer[]) => readWorkflowFile(new Blob([png(...chunks)]));

describe('a picture of ComfyUI', () => {
  test.each([
    ['tEXt', tEXt('prompt', WORKFLOW)],
    ['zTXt', zTXt('prompt', WORKFLOW)],
    ['iTXt', iTXt('prompt', WORKFLOW, false)],
    ['compressed iTXt', iTXt('prompt', WORKFLOW, true)],
  ])('gives its workflow from %s, all digits kept', async (_type, made) => {
    expect(await readPng(tEXt('workflow', UI), made)).toEqual({ kind: 'workflow', text: WORKFLOW });
  });

  test('with the editor format alone says how to export', async () => {
    expect(await readPng(tEXt('workflow', UI))).toMatchObject({
      message: expect.stringMatching(/Export \(API\)/),
    });
  });

  test('without any says that there is none', async () => {
    expect(await readPng(tEXt('parameters', 'Steps: 20'))).toMatchObject({
      message: expect.stringMatching(/no workflow/),
    });
  });

  test('a bare NaN, as Python writes it, does not spoil it; inside a text it stays', async () => {
    const withNaN =
      '{"1":{"class_type":"X","is_changed":[NaN],"inputs":{"text":"NaN \\" NaN","n":-Infinity}}}';
    expect(await readPng(tEXt('prompt', withNaN))).toEqual({
      kind: 'workflow',
      text: '{"1":{"class_type":"X","is_changed":[null],"inputs":{"text":"NaN \\" NaN","n":null}}}',
    });
  });
});

describe('hostile pictures', () => {
  test('a text that unpacks to more than a workflow may have is left out', async () => {
    const bomb = zTXt('prompt', ' '.repeat(MAX_TEXT_BYTES + 1));
    expect(bomb.length).toBeLessThan(20_000);
    expect((await pngTexts(png(bomb))).size).toBe(0);
  });

  test('a length beyond the file, a cut file and no text at all are read as nothing', async () => {
    const long = chunk('tEXt', 'prompt\0x');
    long.writeUInt32BE(0xffff_ffff, 0);
    for (const bytes of [
      png(long),
      png(tEXt('prompt', WORKFLOW)).subarray(0, 60),
      png(chunk('zTXt', 'prompt\0\0junk')),
      png(chunk('iTXt', 'prompt\0')),
    ])
      expect((await pngTexts(bytes.slice())).size).toBe(0);
  });

  test('a million empty chunks are given up', async () => {
    const empty = chunk('tEXt', '');
    expect(
      (await pngTexts(png(Buffer.alloc(empty.length * 100_000, empty), tEXt('prompt', WORKFLOW)))).size,
    ).toBe(0);
  });

  test('whatever the bytes, nothing is thrown', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('tEXt', 'zTXt', 'iTXt'),
        async (noise, type) => {
          const reading = await readPng(chunk(type, noise));
          expect(reading.kind).toBe('refused');
          expect((await readWorkflowFile(new Blob([noise.slice()]))).kind).toBe('refused');
        },
      ),
    );
  });
});

describe('a JSON file', () => {
  test.each([
    WORKFLOW,
    `\uFEFF${WORKFLOW}`,
    `{"client_id":"x","prompt":${WORKFLOW}}`,
    `{"workflow_id":"a","payload":${WORKFLOW}}`,
  ])('%j is a workflow', (text) =>
    expect(readWorkflowText(text)).toEqual({ kind: 'workflow', text: WORKFLOW }),
  );

  test.each([
    [UI, /editor format.*Export \(API\)/],
    ['', /not a JSON object/],
    ['[]', /not a JSON object/],
    ['{}', /no nodes/],
    ['{"a":{"class_type":"X"}}', /“a” is not a node/],
    [`{"prompt":{"prompt":${WORKFLOW}}}`, /“prompt” is not a node/],
    [`{"prompt":${UI}}`, /editor format/],
  ])('%j is refused with what to do', (text, message) => {
    expect(readWorkflowText(text)).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(message),
    });
  });

  test('one that is too large is not even parsed', () => {
    expect(readWorkflowText(' '.repeat(MAX_TEXT_BYTES + 1))).toMatchObject({
      message: expect.stringMatching(/10 MB/),
    });
  });

  test('long texts with many escapes are looked through in one go', () => {
    const text = `{"1":{"class_type":"X","inputs":{"t":"${'\\"'.repeat(500_000)}","n":NaN}}}`;
    expect(withoutBareNumbers(text).endsWith('"n":null}}}')).toBe(true);
  });
});
