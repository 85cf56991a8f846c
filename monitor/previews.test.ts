import { afterEach, describe, expect, test } from '@jest/globals';
import { openBench, until, type Bench } from './test-support/monitor-bench.ts';

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

describe('previews of a ComfyUI as it is by default, 38 KB each', () => {
  const leftOf = async (env: Record<string, string>) => {
    bench = await openBench('text-to-image', {}, env);
    const calls: unknown[] = [];
    const monitor = await bench.start(true, {
      previewFunction: async (request) => {
        calls.push(request);
        return 1;
      },
    });
    await bench.submit({ jobId: 'job-1', attempt: 1 });
    await until('the job ended', () =>
      bench!.eventsOf('job-1').some((event) => event.detailType === 'Job Completed'),
    );
    return { calls, metrics: monitor.metrics, events: JSON.stringify(bench.bus.accepted) };
  };

  test('are too large: they are counted, and neither sent nor published', async () => {
    const { calls, metrics, events } = await leftOf({ PREVIEW_FUNCTION_NAME: 'push-preview' });
    expect(metrics.value('previews_dropped_total', 'tooLarge')).toBe(8);
    expect(calls).toEqual([]);
    expect(events).not.toContain('/9j/4AAQSkZJRg');
  });

  test('are not even looked at where no function takes them', async () => {
    const { calls, metrics } = await leftOf({});
    expect(metrics.value('notices_total', 'previewFrames')).toBe(8);
    expect(metrics.value('previews_dropped_total')).toBe(0);
    expect(calls).toEqual([]);
  });
});
