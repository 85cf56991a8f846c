/** The worker registry in memory, under the same conditions as the table. */
import type { Clock, WorkerStore } from '../../core/ports.ts';
import type { Worker, WorkerReport } from '../../core/worker.ts';

export interface FakeWorkerStore extends WorkerStore {
  readonly workers: Map<string, Worker>;
}

const instant = ({ timestamp }: WorkerReport): string => new Date(timestamp).toISOString();

type Stored = Worker & { readonly reportedAt: string };

const isNextOfBoot = (worker: Stored, report: WorkerReport): boolean =>
  worker.bootId === report.bootId && worker.monitorSequence < report.sequence;

const isNewer = (worker: Stored, report: WorkerReport): boolean =>
  isNextOfBoot(worker, report) || (worker.bootId !== report.bootId && worker.reportedAt < instant(report));

export const createFakeWorkerStore = ({ clock }: { readonly clock: Clock }): FakeWorkerStore => {
  const workers = new Map<string, Stored>();
  const set = (worker: Stored, patch: Partial<Stored>): 'applied' => {
    workers.set(worker.workerId, { ...worker, ...patch });
    return 'applied';
  };
  const seen = (report: WorkerReport): Partial<Stored> => ({
    monitorSequence: report.sequence,
    reportedAt: instant(report),
    lastSeenAt: new Date(clock.now()).toISOString(),
  });
  const availableStatus = (worker: Worker): Worker['status'] =>
    worker.currentJobId === null ? 'idle' : 'busy';
  return {
    workers,
    register: async ({ endpoint, comfyuiVersion, ...report }) => {
      const { workerId, clientId, bootId, sequence } = report;
      const lastSeenAt = new Date(clock.now()).toISOString();
      const fresh: Stored = {
        workerId,
        clientId,
        endpoint,
        status: 'idle',
        currentJobId: null,
        currentAttempt: null,
        assignedAt: null,
        bootId,
        monitorSequence: sequence,
        comfyuiVersion,
        registeredAt: lastSeenAt,
        lastSeenAt,
        avoidUntil: null,
        reportedAt: instant(report),
      };
      const worker = workers.get(workerId);
      if (worker === undefined) return set(fresh, {});
      if (!isNewer(worker, report)) return 'refused';
      const drains = worker.status === 'draining' && worker.bootId === bootId;
      const status = drains ? 'draining' : availableStatus(worker);
      return set(worker, {
        ...seen(report),
        status,
        bootId,
        clientId,
        endpoint,
        comfyuiVersion,
        avoidUntil: null,
      });
    },
    heartbeat: async ({ available, ...report }) => {
      const worker = workers.get(report.workerId);
      if (worker === undefined || !isNextOfBoot(worker, report)) return 'refused';
      const setAside = worker.status === 'draining' || worker.status === 'stopped';
      const answering = available ? availableStatus(worker) : 'failed';
      return set(worker, { ...seen(report), status: setAside ? worker.status : answering });
    },
    stop: async (report) => {
      const worker = workers.get(report.workerId);
      if (worker === undefined || !isNextOfBoot(worker, report)) return 'refused';
      return set(worker, { ...seen(report), status: 'stopped' });
    },
    get: async (workerId) => workers.get(workerId),
    list: async () => [...workers.values()].sort((a, b) => (a.workerId < b.workerId ? -1 : 1)),
    claim: async (workerId, jobId, attempt, at) => {
      const worker = workers.get(workerId);
      if (worker?.status !== 'idle' || worker.currentJobId !== null) return false;
      set(worker, { status: 'busy', currentJobId: jobId, currentAttempt: attempt, assignedAt: at });
      return true;
    },
    release: async (workerId, jobId, attempt) => {
      const worker = workers.get(workerId);
      if (worker?.currentJobId !== jobId || worker.currentAttempt !== attempt) return false;
      const status = worker.status === 'busy' ? 'idle' : worker.status;
      set(worker, { status, currentJobId: null, currentAttempt: null });
      return true;
    },
    avoid: async (workerId, until) => {
      const worker = workers.get(workerId);
      if (worker !== undefined) set(worker, { avoidUntil: until });
    },
    markLost: async (workerId, lastSeenAt) => {
      const worker = workers.get(workerId);
      if (worker?.lastSeenAt !== lastSeenAt || worker.status === 'lost') return false;
      set(worker, { status: 'lost' });
      return true;
    },
  };
};
