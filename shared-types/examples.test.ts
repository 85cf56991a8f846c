import { describe, expect, test } from '@jest/globals';
import { frameExamples, restExamples } from './comfyui-examples.ts';
import { frameDataSchemas, readFrame } from './comfyui-frames.ts';
import { outcomeOfHistory, outputsOfHistory } from './comfyui-history.ts';
import {
  historyEntryOf,
  objectInfoClassSchema,
  objectInfoSchema,
  promptAcceptedSchema,
  promptRejectedSchema,
  queueLengthSchema,
  queueSchema,
  systemStatsSchema,
} from './comfyui-rest.ts';
import { taskApiExamples } from './task-api-examples.ts';
import { errorBodySchema, submitTaskFieldsSchema, submitTaskResponseSchema, taskSchema } from './task-api.ts';

describe('examples of what ComfyUI sends', () => {
  test.each(Object.keys(frameDataSchemas) as (keyof typeof frameDataSchemas)[])(
    'the frame %s reads unchanged',
    (type) => {
      const data = frameExamples[type];
      expect(readFrame({ type, data })).toEqual({ kind: 'frame', frame: { type, data } });
    },
  );

  test.each([
    ['GET /prompt', queueLengthSchema],
    ['POST /prompt 200', promptAcceptedSchema],
    ['POST /prompt 400', promptRejectedSchema],
    ['GET /system_stats', systemStatsSchema],
    ['GET /object_info', objectInfoSchema],
  ] as const)('%s reads unchanged', (route, schema) => {
    expect(schema.parse(restExamples[route])).toEqual(restExamples[route]);
  });

  test('the queue names whose prompt runs', () => {
    const { running, pending } = queueSchema.parse(restExamples['GET /queue']);
    expect(running).toMatchObject([{ extraData: { client_id: 'monitor-pod-1', attempt: 1 } }]);
    expect(pending).toEqual([]);
  });

  test('the history tells outcome and files', () => {
    const answer = restExamples['GET /history/{id}'];
    const entry = historyEntryOf(answer, Object.keys(answer)[0]!)!;
    expect(outcomeOfHistory(entry)).toEqual({ kind: 'succeeded', verified: true });
    expect(outputsOfHistory(entry).files).toMatchObject([{ nodeId: '9', filename: 'ComfyUI_00001_.png' }]);
  });

  test('a class has its display name', () => {
    expect(objectInfoClassSchema.parse(restExamples['GET /object_info'].SaveImage).display_name).toBe(
      'Save Image',
    );
  });
});

test.each([
  ['submitTask', submitTaskFieldsSchema],
  ['submitTaskResponse', submitTaskResponseSchema],
  ['task', taskSchema],
  ['error', errorBodySchema],
] as const)('the example of the body %s is valid', (name, schema) => {
  expect(schema.parse(taskApiExamples[name])).toEqual(taskApiExamples[name]);
});
