import { appendFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { exampleOf, type MonitorDetailType } from '../../shared-types/index.ts';
import type { MonitorEvent } from '../core/monitor-state.ts';
import { createMetrics } from './metrics.ts';
import { openSpool } from './spool.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spool-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

let count = 0;
const event = (detailType: MonitorDetailType, changes: object = {}): MonitorEvent => {
  count += 1;
  const eventId = `5f0c3c8e-6a0b-4c43-9a86-${String(count).padStart(12, '0')}`;
  return { detailType, detail: { ...exampleOf(detailType), eventId, ...changes } } as MonitorEvent;
};
const file = (): string => join(dir, 'events.jsonl');

describe('the spool', () => {
  test('gives back after a crash what was promised and not sent, in order', async () => {
    const spool = await openSpool(dir, createMetrics());
    const events = [event('Job Started'), event('Node Executing'), event('Job Completed')];
    await spool.append(events);
    await spool.sent([events[1]!.detail.eventId]);
    await spool.close();
    const again = await openSpool(dir, createMetrics());
    expect(again.unsent).toEqual([events[0], events[2]]);
    expect(again.depth()).toBe(2);
    await again.close();
  });

  test('remembers the last sequence and what was reported of a job, also of snapshots that it does not keep', async () => {
    const spool = await openSpool(dir, createMetrics());
    await spool.append([event('Job Started'), event('Node Executing'), event('Node Progress Update')]);
    await spool.close();
    const again = await openSpool(dir, createMetrics());
    const { promptId, jobId, attempt, sequence, overallPercentage } = exampleOf('Node Progress Update');
    expect(again.jobs).toEqual([
      {
        promptId,
        jobId,
        attempt,
        sequence,
        overallPercentage,
        started: true,
        terminal: false,
        executing: ['3'],
        executed: [],
      },
    ]);
    expect(again.unsent.map((e) => e.detailType)).toEqual(['Job Started', 'Node Executing']);
    await again.close();
  });

  test('cuts a torn tail off and goes on after it', async () => {
    const spool = await openSpool(dir, createMetrics());
    await spool.append([event('Job Started')]);
    await spool.close();
    const whole = await readFile(file(), 'utf8');
    await appendFile(file(), '{"k":"event","detailType":"Job Comp');
    const torn = await openSpool(dir, createMetrics());
    expect(await readFile(file(), 'utf8')).toBe(whole);
    await torn.append([event('Job Completed')]);
    await torn.close();
    const again = await openSpool(dir, createMetrics());
    expect(again.unsent).toHaveLength(2);
    expect(again.jobs[0]).toMatchObject({ terminal: true, sequence: 7 });
    await again.close();
  });

  test('counts lines that make no sense and reads the others', async () => {
    const spool = await openSpool(dir, createMetrics());
    await spool.append([event('Job Started')]);
    await spool.close();
    await appendFile(
      file(),
      'null\n{"k":"sent","ids":3}\n{"k":"event","detailType":"Task Failed","detail":{"eventId":"x"}}\n\u0000\n',
    );
    const metrics = createMetrics();
    const again = await openSpool(dir, metrics);
    expect(metrics.value('spool_skipped_lines_total')).toBe(3);
    expect(again.unsent).toHaveLength(1);
    await again.close();
  });

  test('stays small, and loses nothing unsent by it', async () => {
    const spool = await openSpool(dir, createMetrics(), 20_000);
    const kept = event('Job Failed', { promptId: 'kept', jobId: 'kept' });
    await spool.append([kept]);
    for (let i = 0; i < 300; i += 1) {
      const passing = event('Job Started', { promptId: 'p', jobId: 'j', sequence: i + 1 });
      await spool.append([passing]);
      await spool.sent([passing.detail.eventId]);
    }
    await spool.close();
    expect((await stat(file())).size).toBeLessThan(25_000);
    const again = await openSpool(dir, createMetrics());
    expect(again.unsent).toEqual([kept]);
    expect(again.jobs.find((job) => job.jobId === 'j')?.sequence).toBe(300);
    await again.close();
  });

  test('is readable by its owner only', async () => {
    const spool = await openSpool(join(dir, 'state'), createMetrics());
    await spool.append([event('Job Started')]);
    expect((await stat(join(dir, 'state'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, 'state', 'events.jsonl'))).mode & 0o777).toBe(0o600);
    await spool.close();
  });
});
