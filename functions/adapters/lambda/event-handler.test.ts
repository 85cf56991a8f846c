import { expect, test } from '@jest/globals';
import type { PipelineEvent } from '../../../shared-types/index.ts';
import { createSilentLogger, makeEvent } from '../../core/test-support/fixtures.ts';
import { eventHandler } from './event-handler.ts';

const setUp = (handle: (event: PipelineEvent<'Job Started'>) => Promise<void>) => {
  const logger = createSilentLogger();
  return { logger, handler: eventHandler({ accepts: ['Job Started'], handle, logger }) };
};

test('an event is handed over as it was parsed', async () => {
  const seen: PipelineEvent[] = [];
  const { handler, logger } = setUp(async (event) => void seen.push(event));
  await handler(makeEvent('Job Started'));
  expect(seen).toMatchObject([{ detailType: 'Job Started', detail: { totalNodes: 7 } }]);
  expect(logger.lines).toEqual([]);
});

test('poison is acknowledged, logged without its content, and counted', async () => {
  const { handler, logger } = setUp(async () => {
    throw new Error('must not be reached');
  });
  await handler({ ...makeEvent('Job Started'), source: 'comfyui.monitor.other' });
  await handler('secret words');
  expect(logger.lines).toHaveLength(2);
  for (const { code, data } of logger.lines) {
    expect(code).toBe('event.poison');
    expect(data).toMatchObject({
      EventsPoisoned: 1,
      _aws: { CloudWatchMetrics: [{ Namespace: 'ComfyUiPipeline' }] },
    });
  }
  expect(JSON.stringify(logger.lines)).not.toContain('secret words');
});

test('what fails is thrown as it is, so that it is delivered again, and its line names the job', async () => {
  const failure = new Error('the table does not answer');
  const { handler, logger } = setUp(() => Promise.reject(failure));
  const event = makeEvent('Job Started');
  await expect(handler(event)).rejects.toBe(failure);
  expect(logger.lines).toMatchObject([
    { level: 'error', code: 'event.failed', data: { eventId: event.id, detailType: 'Job Started' } },
  ]);
});
