/** The task API's bodies: each has a valid example, and what is wrong is refused in one line. */
import { describe, expect, test } from '@jest/globals';
import type * as z from 'zod';
import { taskApiExamples } from './task-api-examples.ts';
import * as api from './task-api.ts';

const bodies: Readonly<Record<keyof typeof taskApiExamples, z.ZodType>> = {
  submitTask: api.submitTaskFieldsSchema,
  submitTaskResponse: api.submitTaskResponseSchema,
  task: api.taskSchema,
  taskSummary: api.taskSummarySchema,
  taskList: api.taskListSchema,
  taskListQuery: api.taskListQuerySchema,
  changeTask: api.changeTaskSchema,
  queueControl: api.queueControlSchema,
  queueState: api.queueStateSchema,
  metrics: api.metricsSchema,
  workerList: api.workerListSchema,
  createFile: api.createFileSchema,
  createFileResponse: api.createFileResponseSchema,
  putWorkflow: api.putWorkflowSchema,
  storedWorkflow: api.storedWorkflowSchema,
  workflowList: api.workflowListSchema,
  ticket: api.ticketSchema,
  createKey: api.createKeySchema,
  createKeyResponse: api.createKeyResponseSchema,
  keyList: api.keyListSchema,
  callbackList: api.callbackListSchema,
  callbackSecret: api.callbackSecretSchema,
  error: api.errorBodySchema,
};

test.each(Object.entries(bodies))('the example of the body %s is valid and complete', (name, schema) => {
  const example = taskApiExamples[name as keyof typeof bodies];
  expect(schema.parse(example)).toEqual(example);
});

describe('a file name', () => {
  const read = (filename: string) => api.createFileSchema.safeParse({ filename, size: 1 });

  test.each([['a.png'], ['ünï 世界.png'], ['we"ird.png'], ['a..b.png'], ['.hidden'], ['%2e%2e'], ['📷.png']])(
    '%j is one',
    (filename) => expect(read(filename).success).toBe(true),
  );

  test.each([
    [''],
    ['../x'],
    ['..\\x'],
    ['/etc/passwd'],
    ['C:\\x'],
    ['.'],
    ['..'],
    ['x\nSet-Cookie:'],
    ['a\u0000b'],
    ['a\u0085b'],
    ['\ud800'],
    ['a\uffff'],
    ['x'.repeat(256)],
    ['世'.repeat(100)],
  ])('%j is none', (filename) => {
    const { error } = read(filename);
    expect(error?.issues[0]?.message).toMatch(/^filename must [^\n]+$/);
  });
});

describe('the id of a stored workflow', () => {
  test.each([['text_to_image_v1'], ['a'], ['...'], ['x'.repeat(128)], ['a..b']])('%j is one', (id) => {
    expect(api.storedWorkflowIdSchema.safeParse(id).success).toBe(true);
  });
  test.each([[''], ['.'], ['..'], ['a/b'], ['a b'], ['ü'], ['x'.repeat(129)], ['a\n'], [7], [['a']]])(
    '%j is none',
    (id) => expect(api.storedWorkflowIdSchema.safeParse(id).success).toBe(false),
  );
});

test('a workflow_id may have 256 characters, and no more', () => {
  const read = (length: number) =>
    api.submitTaskFieldsSchema.safeParse({ workflow_id: 'x'.repeat(length) }).success;
  expect([read(256), read(257)]).toEqual([true, false]);
});
