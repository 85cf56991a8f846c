/** What the sweep does with jobs of which nothing was heard for too long. */
import { describe, expect, test } from '@jest/globals';
import { eventCatalogue } from '../../../shared-types/index.ts';
import {
  createDispatchWorld,
  type DispatchWorld,
  type JobWish,
} from '../../adapters/test-support/dispatch-world.ts';
import { cancelJob } from '../cancel-job.ts';
import type { Job, JobChange, JobPatch } from '../job.ts';
import { dispatchPending } from './dispatch.ts';
import { ENDING_MS, NEXT_SWEEP_MS } from './postpone.ts';
import { STORING_MS } from './supervise-job.ts';
import { sweep } from './sweep.ts';

const pass = async (world: DispatchWorld, ms: number): Promise<void> => {
  world.clock.advance(ms);
  await world.heartbeat();
  await sweep(world.deps);
};

const set = async (world: DispatchWorld, jobId: string, patch: JobPatch): Promise<void> => {
  await world.table.jobs.update({ guard: { jobId, statuses: ['assigned', 'running'] }, patch });
};

/** A job of 90 seconds runs on w1; another user's waits behind it in the same ComfyUI. */
const twoOnOne = async (maxRetries = 3) => {
  const world = createDispatchWorld({ prefetchDepth: 1 });
  const endpoint = await world.addWorker('w1');
  const jobId = await world.addJob({ timeoutSeconds: 90, max_retries: maxRetries });
  world.clock.advance(1);
  const behind = await world.addJob({ userId: 'neighbour' });
  await dispatchPending(world.deps);
  await set(world, jobId, { status: 'running', startedAt: world.clock.iso(), eventSequence: 1 });
  return { world, endpoint, jobId, behind };
};

const worker = (world: DispatchWorld) => world.table.allWorkers()[0]!;
const heldBy = (world: DispatchWorld): readonly string[] => worker(world).held.map(({ jobId }) => jobId);

describe('a job that waits in the queue of ComfyUI', () => {
  test('stays there for as long as it may itself run, and is looked for once a minute', async () => {
    const { world, jobId, behind } = await twoOnOne();
    await set(world, jobId, { dueAt: null });
    for (let minute = 0; minute < 60; minute += 1) {
      await pass(world, 60_000);
      expect(world.job(behind)).toMatchObject({
        status: 'assigned',
        attempt: 1,
        dueAt: world.clock.iso(NEXT_SWEEP_MS),
      });
    }
    expect(heldBy(world)).toContain(behind);
  });

  test('is looked at by every sweep, though one begins a little sooner after the other wrote', async () => {
    const { world, jobId, behind } = await twoOnOne();
    await set(world, jobId, { dueAt: null });
    await pass(world, 60_000);
    for (let minute = 0; minute < 5; minute += 1) {
      await pass(world, 59_000);
      expect(world.job(behind).dueAt).toBe(world.clock.iso(NEXT_SWEEP_MS));
    }
  });
});

describe('a job that takes too long', () => {
  test('is ended in ComfyUI, and fails as timed out when its monitor is silent', async () => {
    const { world, jobId, behind } = await twoOnOne();
    await pass(world, 60_000);
    expect(world.job(jobId).dueAt).toBe(world.clock.iso(30_000));
    expect(world.comfyUi.ended).toEqual([]);
    await pass(world, 30_000);
    const { promptId } = world.job(jobId);
    expect(world.comfyUi.ended).toEqual([promptId]);
    expect(world.job(jobId)).toMatchObject({ status: 'running', endingReason: 'timeout' });
    // It is over in ComfyUI: the monitor gets its minute, twice, and then the history decides.
    await pass(world, 60_000);
    expect(world.job(jobId).status).toBe('running');
    await pass(world, 60_000);
    expect(world.job(jobId)).toMatchObject({
      status: 'failed',
      failure: { reason: 'timeout' },
      attempts: [{ outcome: 'failed', failure: { reason: 'timeout' } }],
    });
    expect(heldBy(world)).toEqual([behind]);
    expect(world.job(behind)).toMatchObject({ status: 'running', attempt: 1 });
  });

  test('counts from the assignment where nobody said when it started', async () => {
    const { world, jobId } = await twoOnOne();
    await set(world, jobId, { startedAt: null });
    await pass(world, 60_000);
    await pass(world, 30_000);
    expect(world.job(jobId).endingReason).toBe('timeout');
  });

  test('and ignores the interrupt quarantines its worker: what waited behind it goes elsewhere', async () => {
    const { world, endpoint, jobId, behind } = await twoOnOne();
    world.comfyUi.stuck.add(endpoint);
    await pass(world, 60_000);
    await pass(world, 30_000);
    await pass(world, ENDING_MS - 1);
    expect(worker(world).quarantined).toBe(false);
    await pass(world, 1);
    expect(worker(world)).toMatchObject({ quarantined: true, held: [] });
    expect(world.job(jobId)).toMatchObject({ status: 'failed', failure: { reason: 'timeout' } });
    expect(world.job(behind)).toMatchObject({ status: 'pending', failure: { reason: 'workerStalled' } });
    // It would run as soon as the stuck one let go: it was taken out of the queue.
    expect(world.comfyUi.live(endpoint).map((prompt) => prompt.jobId)).toEqual([jobId]);
    expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
    await world.addWorker('w2');
    world.clock.advance(15_000);
    await dispatchPending(world.deps);
    expect(world.job(behind)).toMatchObject({ status: 'assigned', workerId: 'w2', attempt: 2 });
  });

  test('takes nobody elsewhere before it is certain that they will not run there', async () => {
    const { world, endpoint, jobId, behind } = await twoOnOne();
    world.comfyUi.stuck.add(endpoint);
    await pass(world, 60_000);
    await pass(world, 30_000);
    // It is asked for this one alone, and cannot be reached just then.
    const deps = {
      ...world.deps,
      hastyComfyUi: { ...world.comfyUi, endPrompt: async () => 'unreachable' as const },
    };
    world.clock.advance(60_000);
    await world.heartbeat();
    await sweep(deps);
    expect(world.job(jobId)).toMatchObject({ status: 'failed', failure: { reason: 'timeout' } });
    expect(world.job(behind)).toMatchObject({ status: 'assigned', attempt: 1 });
    await pass(world, 60_000);
    expect(world.job(behind)).toMatchObject({ status: 'pending', failure: { reason: 'workerStalled' } });
    expect(world.comfyUi.live(endpoint).map((prompt) => prompt.jobId)).toEqual([jobId]);
  });

  test('on a worker whose quarantine died half-way still lets the others go', async () => {
    const { world, endpoint, jobId, behind } = await twoOnOne();
    world.comfyUi.stuck.add(endpoint);
    await pass(world, 60_000);
    await pass(world, 30_000);
    await world.table.workers.quarantine('w1', worker(world).bootId);
    await set(world, jobId, { status: 'failed', completedAt: world.clock.iso(), dueAt: null });
    await pass(world, 60_000);
    expect(world.job(behind)).toMatchObject({ status: 'pending', failure: { reason: 'workerStalled' } });
    expect(heldBy(world)).toEqual([]);
  });

  test('and was cancelled as well is cancelled when its worker is stuck', async () => {
    const { world, endpoint, jobId } = await twoOnOne();
    world.comfyUi.stuck.add(endpoint);
    await pass(world, 60_000);
    await pass(world, 30_000);
    await set(world, jobId, { cancelRequestedAt: world.clock.iso() });
    await pass(world, 60_000);
    expect(world.job(jobId)).toMatchObject({ status: 'cancelled', failure: null });
    expect(worker(world).quarantined).toBe(true);
  });

  test('on a pod that does not answer is tried again after five minutes', async () => {
    const { world, endpoint, jobId } = await twoOnOne();
    await pass(world, 90_000);
    await pass(world, 1);
    world.comfyUi.down.add(endpoint);
    for (let minute = 0; minute < 6; minute += 1) await pass(world, 60_000);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'workerLost' } });
  });

  test('an event that arrives while it is decided wins', async () => {
    const { world, jobId } = await twoOnOne();
    await pass(world, 60_000);
    let reads = 0;
    const jobs = {
      create: (job: Job) => world.table.jobs.create(job),
      get: async (id: string) => {
        const job = await world.table.jobs.get(id);
        reads += id === jobId ? 1 : 0;
        // The sweep of its worker reads it before: this is the reading that decides.
        if (id === jobId && reads === 2) await set(world, jobId, { eventSequence: 5 });
        return job;
      },
      update: (change: JobChange) => world.table.jobs.update(change),
    };
    world.clock.advance(30_000);
    await world.heartbeat();
    await sweep({ ...world.deps, jobs });
    expect(world.job(jobId)).toMatchObject({ endingReason: null, eventSequence: 5 });
  });
});

describe('a prompt that finished unheard', () => {
  const finished = async (wish: JobWish = {}) => {
    const world = createDispatchWorld();
    const endpoint = await world.addWorker('w1');
    const jobId = await world.addJob(wish);
    await dispatchPending(world.deps);
    const promptId = world.job(jobId).promptId!;
    world.comfyUi.finish(promptId);
    const told = () => world.publisher.events.filter((each) => each.detailType === 'Task Finished Unheard');
    const eventIds = () => new Set(told().map(({ detail }) => detail.eventId));
    return { world, endpoint, jobId, promptId, told, eventIds };
  };
  const holdsNothing = (world: DispatchWorld): void => {
    expect(heldBy(world)).toEqual([]);
    expect(world.table.allShares().flatMap(({ active }) => active)).toEqual([]);
  };

  test('and succeeded is completed from its history; its slot and the share of its user are free', async () => {
    const { world, jobId, promptId, told } = await finished();
    await pass(world, 60_000);
    expect(told()).toMatchObject([
      { detail: { jobId, promptId, attempt: 1, workerId: 'w1', userId: 'user-1', outputCount: 0 } },
    ]);
    expect(eventCatalogue['Task Finished Unheard'].schema.safeParse(told()[0]?.detail).error).toBeUndefined();
    expect(world.job(jobId)).toMatchObject({ status: 'assigned', attempt: 1, promptId });
    holdsNothing(world);
  });

  test('is told of again under the same id until it is taken up, and not repeated meanwhile', async () => {
    const { world, jobId, told, eventIds } = await finished();
    for (let minute = 0; minute < 9; minute += 1) {
      await pass(world, 60_000);
      await dispatchPending(world.deps);
    }
    expect(told()).toHaveLength(9);
    expect(eventIds().size).toBe(1);
    await set(world, jobId, { eventSequence: 1, storingSince: world.clock.iso() });
    await pass(world, 60_000);
    expect(told()).toHaveLength(9);
    expect(world.comfyUi.posted).toHaveLength(1);
  });

  test('and is never taken up is repeated once its time is over', async () => {
    const { world, jobId } = await finished({ timeoutSeconds: 60 });
    for (let minute = 0; minute < 21; minute += 1) await pass(world, 60_000);
    expect(world.job(jobId).status).toBe('assigned');
    await pass(world, 60_000);
    expect(world.job(jobId)).toMatchObject({ status: 'pending', failure: { reason: 'vanished' } });
  });

  test('while it was known to run is completed when its time is over, and has not timed out', async () => {
    const { world, jobId, told } = await finished({ timeoutSeconds: 90 });
    await set(world, jobId, { status: 'running', startedAt: world.clock.iso(), eventSequence: 3 });
    await pass(world, 60_000);
    expect(told()).toEqual([]);
    await pass(world, 60_000);
    expect(told()).toHaveLength(1);
    expect(world.job(jobId)).toMatchObject({ status: 'running', endingReason: null });
    expect(world.comfyUi.ended).toEqual([]);
    holdsNothing(world);
  });

  test('on a worker that is lost is completed from its history as well, and goes to nobody else', async () => {
    const { world, jobId, eventIds } = await finished();
    await set(world, jobId, { status: 'running', startedAt: world.clock.iso(), eventSequence: 3 });
    await world.addWorker('w2');
    world.silent.add('w1');
    for (let minute = 0; minute < 3; minute += 1) {
      await pass(world, 61_000);
      await dispatchPending(world.deps);
    }
    expect(eventIds().size).toBe(1);
    expect(world.job(jobId)).toMatchObject({ status: 'running', attempt: 1, workerId: 'w1' });
    expect(world.comfyUi.posted).toHaveLength(1);
    holdsNothing(world);
  });

  test('and is waited for by nobody is not completed', async () => {
    const { world, jobId, told } = await finished();
    await cancelJob({ jobId }, world.deps);
    world.silent.add('w1');
    for (let minute = 0; minute < 3; minute += 1) await pass(world, 61_000);
    expect(world.job(jobId).status).toBe('cancelled');
    expect(told()).toEqual([]);
  });

  test('and did not succeed waits for its monitor, then ends as the history says', async () => {
    const { world, endpoint, jobId, told } = await finished();
    const behind = await world.addJob({ timeoutSeconds: 3600 });
    await world.leave('w1', jobId, 1, 0);
    await dispatchPending(world.deps);
    await world.comfyUi.endPrompt(endpoint, world.job(behind).promptId!);
    for (let minute = 0; minute < 4; minute += 1) await pass(world, 60_000);
    expect(world.job(behind).status).toBe('assigned');
    await pass(world, 60_000);
    expect(world.job(behind).status).not.toBe('assigned');
    expect(world.job(behind).failure).toMatchObject({ reason: 'interrupted' });
    expect(told().every(({ detail }) => detail.jobId === jobId)).toBe(true);
  });
});

describe('outputs that are being stored', () => {
  test('for too long fail the job', async () => {
    const { world, jobId } = await twoOnOne();
    const storingSince = world.clock.iso();
    await set(world, jobId, { storingSince, dueAt: world.clock.iso(60_000) });
    await pass(world, 60_000);
    expect(world.job(jobId)).toMatchObject({
      status: 'running',
      dueAt: world.clock.iso(STORING_MS - 60_000),
    });
    await pass(world, STORING_MS - 60_001);
    expect(world.job(jobId).status).toBe('running');
    await pass(world, 1);
    expect(world.job(jobId)).toMatchObject({
      status: 'failed',
      failure: { reason: 'internal', message: 'outputs could not be stored' },
    });
    expect(world.comfyUi.ended).toEqual([]);
  });
});

describe('shares', () => {
  test('lose what has left: an attempt that ended without a word, and a dispatch that died on its way', async () => {
    const world = createDispatchWorld();
    const ended = await world.addJob();
    const waiting = await world.addJob();
    await set(world, ended, {});
    await world.table.jobs.update({
      guard: { jobId: ended, statuses: ['pending'] },
      patch: { status: 'failed', attempt: 1, completedAt: world.clock.iso() },
    });
    const claim = async (jobId: string): Promise<void> => {
      const share = world.table.allShares()[0]!;
      await world.table.shares.claim(share, { jobId, attempt: 1, chargedMs: 5, startMs: 0, cap: 9 });
    };
    await claim(ended);
    await claim(waiting);
    expect(world.table.allShares()[0]?.active).toHaveLength(2);
    await sweep(world.deps);
    expect(world.table.allShares()[0]?.active).toEqual([]);
    expect(world.clock.sleeps).toEqual([15_000]);
  });

  test('keep what is on its way: a dispatch that goes on while the sweep waits', async () => {
    const world = createDispatchWorld();
    const jobId = await world.addJob();
    await world.addWorker('w1');
    const share = world.table.allShares()[0]!;
    await world.table.shares.claim(share, { jobId, attempt: 1, chargedMs: 5, startMs: 0, cap: 9 });
    const clock = {
      ...world.clock,
      now: () => world.clock.now(),
      sleep: async () => {
        const assignment = { jobId, attempt: 1, userId: 'user-1', assignedAt: world.clock.iso() };
        await world.table.workers.claim('w1', assignment, 1);
      },
    };
    await sweep({ ...world.deps, clock });
    expect(world.table.allShares()[0]?.active).toHaveLength(1);
  });
});
