import { describe, expect, test } from '@jest/globals';
import { checkFileNames, checkUploadNames } from './file-names.ts';
import { catalogueOf, workflowOf } from './test-support/readings.ts';

const FOREIGN = [
  'ComfyUI_00001_.png [output]',
  'ComfyUI_00001_.png[output]',
  'ComfyUI_temp_x_00001_.png [temp]',
  'a.png [OUTPUT]',
  'a.png [output] [input]',
  '../../../../etc/passwd',
  '../output/ComfyUI_00001_.png',
  'a/../../output/b.png',
  'a\\..\\..\\output\\b.png',
  '..\\output\\b.png',
  '.. /output/b.png',
  '..',
  '/etc/passwd',
  '/etc/passwd [input]',
  '\\\\host\\share\\a.png',
  'C:\\Users\\a.png',
  'c:a.png',
  'file:///etc/passwd',
  'a.png\0.txt',
  'a\nb.png',
];
const OWN = [
  '',
  'example.png',
  'example.png [input]',
  '5e0a4b3c-8d0f-4f5e-9a43-6c7b1e2d3f40/me.png',
  'clipspace/mask 1.png [input]',
  'ünï 世界.png',
  'a..b.png',
  'wait... what.png',
  'https://example.com/a.png?x=1',
];

const nodeOf = (class_type: string, inputs: object) =>
  workflowOf({ '1': { class_type, inputs }, '2': { class_type: 'Text', inputs: {} } });
const foundBy = (errors: ReturnType<typeof checkFileNames>): readonly string[] =>
  Object.entries(errors.toNodeErrors()).flatMap(([id, node]) =>
    node.errors.map(({ type, input }) => `${id}.${input ?? ''}: ${type}`),
  );

describe('what a class named Load… is to read', () => {
  const check = (value: unknown, classType = 'LoadImage') =>
    checkFileNames(nodeOf(classType, { image: value, upload: 'image' }));

  test.each(FOREIGN)('%j is refused, with the way that is open', (name) => {
    const errors = check(name);
    expect(foundBy(errors)).toEqual(['1.image: custom_validation_failed']);
    expect(errors.message()).toMatch(
      /^node "1" \("LoadImage"\): "image" [^\n]+; upload the file with POST \/api\/v1\/files and name it in inputs$/,
    );
  });

  test.each(OWN)('%j is taken', (name) => {
    expect(check(name).count).toBe(0);
  });

  test.each(['VHS_LoadVideo', 'Load Image Batch', 'LoadLatent', 'Load3D'])('%s is such a class', (name) => {
    expect(check('/etc/passwd', name).count).toBe(1);
  });

  test('is found in what is wrapped, listed or nested, and no link is taken for a list', () => {
    const foreign = 'threed/scene.png [temp]';
    for (const value of [
      { __value__: foreign },
      ['a.png', foreign],
      { image: foreign, camera: { x: 'y' } },
    ]) {
      expect(check(value).count).toBe(1);
    }
    expect(check(['2', 0]).count).toBe(0);
  });

  test.each([
    ['a loader of models', 'CheckpointLoaderSimple', '/models/a.safetensors'],
    ['a prompt', 'CLIPTextEncode', 'a photo.png [output]\n../and more'],
    ['a picture in base64', 'ETN_LoadImageBase64', '/9j/4AAQSkZJRg=='],
    ['a picture in base64, of another class', 'LoadImageFromString', `/9j/${'A'.repeat(5000)}`],
  ])('%s is none of it', (_what, classType, value) => {
    expect(check(value, classType).count).toBe(0);
  });
});

describe('a filename_prefix', () => {
  const check = (value: unknown) => checkFileNames(nodeOf('SaveImage', { filename_prefix: value }));

  test.each(['../x', 'a/../../b', 'a\\..\\b', '..', '/tmp/x', '\\x', 'C:\\x', 'a\0b'])(
    '%j is refused before it costs a run',
    (prefix) => {
      for (const value of [prefix, { __value__: prefix }]) {
        const errors = check(value);
        expect(foundBy(errors)).toEqual(['1.filename_prefix: custom_validation_failed']);
        expect(errors.message()).toMatch(/"filename_prefix" must stay within the output folder[^\n]*$/);
      }
    },
  );

  test.each(['ComfyUI', 'video/clip', '%date:yyyy-MM-dd%/a', 'a..b', '', ['2', 0], 7, null])(
    '%j is taken',
    (value) => {
      expect(check(value).count).toBe(0);
    },
  );
});

describe('what an input for uploads names, whatever its class is called', () => {
  const catalogue = catalogueOf(
    JSON.stringify({
      MaskPainter: {
        input: {
          required: { picture: [['a.png'], { image_upload: true }] },
          optional: { sound: ['COMBO', { options: [], audio_upload: true }], caption: ['STRING', {}] },
        },
        output: ['IMAGE'],
        output_node: false,
      },
    }),
  );
  const check = (inputs: object) =>
    checkUploadNames(nodeOf('MaskPainter', inputs), [{ classes: {} }, catalogue]);

  test.each(FOREIGN)('%j is refused', (name) => {
    expect(foundBy(check({ picture: name }))).toEqual(['1.picture: custom_validation_failed']);
    expect(foundBy(check({ sound: { __value__: name } }))).toEqual(['1.sound: custom_validation_failed']);
  });

  test.each(OWN)('%j is taken', (name) => {
    expect(check({ picture: name }).count).toBe(0);
  });

  test('a link could bring any name, and is refused', () => {
    const errors = check({ picture: ['2', 0] });
    expect(errors.message()).toMatch(/"picture" takes no link.*POST \/api\/v1\/files/);
  });

  test('other inputs and other classes are none of it', () => {
    expect(check({ caption: '../x [output]' }).count).toBe(0);
    expect(checkUploadNames(nodeOf('__proto__', { picture: '../x' }), [catalogue]).count).toBe(0);
  });
});
