/** The worker registry in memory, under the same conditions as the table. */
import type { Clock, WorkerRegistration, WorkerStore } from '../../core/ports.ts';
import type { Assignment, Worker, WorkerReport } from '../../core/worker.ts';
import { conditionOf, oldestFirst, sortedTags, type StoredCondition } from './worker-row.ts';

export interface FakeWorkerStore extends WorkerStore {
  all(): readonly Worker[];
}

interface Stored {
  readonly worker: Worker;
  readonly condition: StoredCondition;
  /** An operator's wish, until it is taken back. */
  readonly drains: boolean;
  readonly reportedAt: string;
}

const instant = ({ timestamp }: WorkerReport): string => new Date(timestamp).toISOString();

const isNextOfBoot = ({ worker }: Stored, report: WorkerReport): boolean =>
  worker.bootId === report.bootId && worker.monitorSequence < report.sequence;

const isNewBoot = ({ worker, reportedAt }: Stored, report: WorkerReport): boolean =>
  worker.bootId !== report.bootId && reportedAt < instant(report);

const announced = (registration: WorkerRegistration, now: string): Partial<Worker> => ({
  clientId: registration.clientId,
  endpoint: registration.endpoint,
  bootId: registration.bootId,
  comfyuiVersion: registration.comfyuiVersion,
  tags: sortedTags(registration.tags),
  ...(registration.kind === undefined ? {} : { kind: registration.kind }),
  connectedAt: now,
  avoidUntil: null,
  failedSince: null,
});

const created = (registration: WorkerRegistration, now: string): Stored => ({
  worker: {
    workerId: registration.workerId,
    clientId: registration.clientId,
    endpoint: registration.endpoint,
    condition: 'ready',
    held: [],
    lastAssignedAt: null,
    bootId: registration.bootId,
    monitorSequence: registration.sequence,
    comfyuiVersion: registration.comfyuiVersion,
    registeredAt: now,
    connectedAt: now,
    lastSeenAt: now,
    avoidUntil: null,
    quarantined: false,
    tags: sortedTags(registration.tags),
    catalogueHash: null,
    failedSince: null,
    ...(registration.kind === undefined ? {} : { kind: registration.kind }),
  },
  condition: 'ready',
  drains: false,
  reportedAt: instant(registration),
});

const mayTake = ({ condition, drains, worker }: Stored, jobId: string, depth: number): boolean =>
  condition === 'ready' &&
  !drains &&
  !worker.quarantined &&
  worker.held.length < depth &&
  !worker.held.some((each) => each.jobId === jobId);

export const createFakeWorkerStore = ({ clock }: { readonly clock: Clock }): FakeWorkerStore => {
  const stored = new Map<string, Stored>();
  const iso = (): string => new Date(clock.now()).toISOString();
  /** Writes what changes; what is shown of the condition follows from what is stored. */
  const set = (
    before: Stored,
    worker: Partial<Worker>,
    own: Partial<Omit<Stored, 'worker'>> = {},
  ): 'applied' => {
    const next = { ...before, ...own };
    const merged = { ...before.worker, ...worker, condition: conditionOf(next.condition, next.drains) };
    stored.set(merged.workerId, { ...next, worker: merged });
    return 'applied';
  };
  const seen = (report: WorkerReport): Partial<Worker> => ({
    monitorSequence: report.sequence,
    lastSeenAt: iso(),
  });
  const all = (): readonly Worker[] =>
    [...stored.values()].map(({ worker }) => worker).sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
  return {
    all,
    register: async (registration) => {
      const before = stored.get(registration.workerId);
      if (before === undefined) return set(created(registration, iso()), {});
      const newBoot = isNewBoot(before, registration);
      if (!newBoot && !isNextOfBoot(before, registration)) return 'refused';
      const lifted = newBoot ? { quarantined: false } : {};
      return set(
        before,
        { ...seen(registration), ...announced(registration, iso()), ...lifted },
        { condition: 'ready', reportedAt: instant(registration) },
      );
    },
    heartbeat: async ({ available, ...report }) => {
      const before = stored.get(report.workerId);
      if (before === undefined || !isNextOfBoot(before, report)) return 'refused';
      const answering = available ? 'ready' : 'failed';
      const condition = before.condition === 'stopped' ? 'stopped' : answering;
      const since = before.condition === 'failed' ? (before.worker.failedSince ?? null) : iso();
      const failed = condition === 'stopped' ? {} : { failedSince: available ? null : since };
      return set(before, { ...seen(report), ...failed }, { condition, reportedAt: instant(report) });
    },
    stop: async (report) => {
      const before = stored.get(report.workerId);
      if (before === undefined || !isNextOfBoot(before, report)) return 'refused';
      return set(before, seen(report), { condition: 'stopped', reportedAt: instant(report) });
    },
    get: async (workerId) => stored.get(workerId)?.worker,
    list: async () => all(),
    claim: async (workerId, { jobId, attempt, userId, assignedAt }, depth, models) => {
      const before = stored.get(workerId);
      if (before === undefined || !mayTake(before, jobId, depth)) return false;
      const assignment: Assignment = { jobId, attempt, userId, assignedAt };
      const held = oldestFirst([...before.worker.held, assignment]);
      const lastModels = models === undefined ? {} : { lastModels: models };
      return set(before, { held, lastAssignedAt: assignedAt, ...lastModels }) === 'applied';
    },
    release: async (workerId, jobId, attempt) => {
      const before = stored.get(workerId);
      const found = before?.worker.held.find((each) => each.jobId === jobId && each.attempt === attempt);
      if (before === undefined || found === undefined) return undefined;
      set(before, { held: before.worker.held.filter((each) => each !== found) });
      return found;
    },
    avoid: async (workerId, until) => {
      const before = stored.get(workerId);
      if (before !== undefined) set(before, { avoidUntil: until });
    },
    markLost: async (workerId, lastSeenAt) => {
      const before = stored.get(workerId);
      if (before?.worker.lastSeenAt !== lastSeenAt || before.condition === 'lost') return false;
      return set(before, {}, { condition: 'lost' }) === 'applied';
    },
    setDraining: async (workerId, drains) => {
      const before = stored.get(workerId);
      return before !== undefined && set(before, {}, { drains }) === 'applied';
    },
    quarantine: async (workerId, bootId) => {
      const before = stored.get(workerId);
      if (before?.worker.bootId !== bootId) return false;
      return set(before, { quarantined: true }) === 'applied';
    },
    setCatalogue: async (workerId, catalogueHash) => {
      const before = stored.get(workerId);
      if (before !== undefined) set(before, { catalogueHash });
    },
  };
};
