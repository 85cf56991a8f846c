/** A job that completes teaches what its workflow takes; one that does not, teaches nothing. */
import { expect, test } from '@jest/globals';
import { shapeOf } from '../core/estimate/workflow-shape.ts';
import { JOB_ID, makeRegistration, PROMPT_ID } from '../core/test-support/fixtures.ts';
import { createStage, success, TWO_IMAGES_AND_A_TEXT, type Stage } from './test-support/stage.ts';

const WORKFLOW = { '3': { class_type: 'KSampler', inputs: { steps: 20 } } };
const KEY = `${shapeOf(WORKFLOW)?.hash ?? ''}/rtx`;

const ran = async (): Promise<Stage> => {
  const stage = await createStage();
  await stage.table.workers.register(makeRegistration({ kind: 'rtx', sequence: 2 }));
  await stage.table.timeline.append(JOB_ID, 1, 3, [
    {
      nodeId: '3',
      nodeName: 'K-Sampler',
      nodeType: 'KSampler',
      state: 'executed',
      at: stage.clock.iso(),
      durationMs: 8000,
      cached: false,
    },
  ]);
  stage.comfyUi.finish(PROMPT_ID, {
    prompt: [0, PROMPT_ID, WORKFLOW, {}, ['3']],
    outputs: TWO_IMAGES_AND_A_TEXT,
    status: success,
  });
  return stage;
};

test('a completed job teaches once, however often its event is delivered', async () => {
  const stage = await ran();
  await stage.complete();
  await stage.complete();
  expect(stage.job().status).toBe('completed');
  expect(stage.table.allProfiles.get(KEY)).toMatchObject({ runs: 1, lastJobId: JOB_ID });
  expect(stage.table.allProfiles.get(KEY)?.warm.get('3')?.mean).toBe(400);
});

test.each([
  ['timeline', 'list'],
  ['profiles', 'get'],
  ['profiles', 'put'],
] as const)('a job is completed although %s.%s fails', async (name, method) => {
  const stage = await ran();
  stage.table.fail(name, method, 9);
  await stage.complete();
  expect(stage.job().status).toBe('completed');
  expect(stage.codes()).toContain('estimate.not-learnt');
});

test('a prompt that the history tells to have failed teaches nothing', async () => {
  const stage = await ran();
  stage.comfyUi.finish(PROMPT_ID, {
    prompt: [0, PROMPT_ID, WORKFLOW, {}, ['3']],
    outputs: {},
    status: { ...success, status_str: 'error', messages: [['execution_error', { timestamp: 1 }]] },
  });
  await stage.complete();
  expect(stage.table.allProfiles.size).toBe(0);
});
