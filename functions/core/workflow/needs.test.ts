import { describe, expect, test } from '@jest/globals';
import { canRun, missingOf, needsOf, spelledFor } from './needs.ts';
import { workflowOfText } from './test-support/readings.ts';

const workflow = (inputs: string): ReturnType<typeof workflowOfText> =>
  workflowOfText(
    `{"1":{"class_type":"B","inputs":{${inputs}}},"2":{"class_type":"A","inputs":{}},"3":{"class_type":"A","inputs":{}}}`,
  );

describe('what a workflow needs', () => {
  test('its classes and models, sorted, each once', () => {
    const text =
      '"ckpt_name":"sd/x.safetensors","lora":"a.PT","vae":"sd/x.safetensors","seed":7,"model":["2",0]';
    expect(needsOf(workflow(text))).toEqual({ classes: ['A', 'B'], models: ['a.PT', 'sd/x.safetensors'] });
  });

  test.each([
    ['a prompt', '"text":"a picture of model.safetensors, best quality"'],
    ['a prompt of several lines', '"text":"one\\nmodel.safetensors"'],
    ['an address', '"url":"https://example.com/model.safetensors"'],
    ['an absolute path', '"path":"/models/model.safetensors"'],
    ['an absolute path on Windows', '"path":"C:\\\\models\\\\model.safetensors"'],
    ['a file to be written', '"filename_prefix":"loras/new.safetensors"'],
    ['a picture', '"image":"a.png"'],
    ['none', '"ckpt_name":"None"'],
  ])('%s is no model', (_name, inputs) => {
    expect(needsOf(workflow(inputs)).models).toEqual([]);
  });

  test('a wrapped value is seen through', () => {
    expect(needsOf(workflow('"lora":{"__value__":"a.sft"}')).models).toEqual(['a.sft']);
  });
});

describe('a worker', () => {
  const needs = { classes: ['A', 'B'], models: ['sub/x.safetensors', 'y.gguf'] };
  const offer = (classes: string[], models: string[]): Parameters<typeof canRun>[1] => ({
    classes: new Set(classes),
    models: new Set(models),
  });

  test.each(['sub/x.safetensors', 'sub\\x.safetensors'])('that lists %s can run it', (listed) => {
    const worker = offer(['A', 'B', 'C'], [listed, 'y.gguf', 'z.pt']);
    expect(canRun(needs, worker)).toBe(true);
    expect(missingOf(needs, worker)).toEqual([]);
    expect(canRun({ classes: [], models: ['sub\\x.safetensors'] }, worker)).toBe(true);
  });

  test('that lacks something cannot, and it is said what', () => {
    const worker = offer(['A'], ['x.safetensors', 'y.gguf']);
    expect(canRun(needs, worker)).toBe(false);
    expect(missingOf(needs, worker)).toEqual(['node class "B"', 'model "sub/x.safetensors"']);
  });

  test('whose offer is empty runs what needs nothing', () => {
    expect(canRun({ classes: [], models: [] }, offer([], []))).toBe(true);
    expect(canRun(needs, offer([], []))).toBe(false);
  });
});

describe('a workflow on its way to a pod', () => {
  const text =
    '{"1":{"class_type":"A","inputs":{"m":"sub/x.safetensors","w":{"__value__":"y/z.pt"},"seed":18446744073709551615}}}';

  test('names models as the pod lists them', () => {
    const sent = spelledFor(text, new Set(['sub\\x.safetensors', 'y\\z.pt']));
    expect(sent).toBe(text.replace('sub/x', 'sub\\\\x').replace('y/z', 'y\\\\z'));
    expect(spelledFor(sent, new Set(['sub/x.safetensors', 'y/z.pt']))).toBe(text);
  });

  test.each([text, '', 'null', '[]', '{"1":7}'])('is the same text where nothing differs: %s', (same) => {
    expect(spelledFor(same, new Set(['sub/x.safetensors', 'other.pt']))).toBe(same);
  });
});
