/** Jobs, registrations and events of one attempt, each valid by its schema; a test names what matters to it. */
import {
  eventCatalogue,
  exampleOf,
  monitorSource,
  PIPELINE_SOURCE,
  type DetailOf,
  type DetailType,
} from '../../../shared-types/index.ts';
import type { Job, JobNeeds } from '../job.ts';
import type { Ids, Logger, WorkerRegistration } from '../ports.ts';

export const JOB_ID = '0f6f4b43-7f3a-4d0f-9f43-1d0b8f6f2b10';
export const PROMPT_ID = '7b8f2c52-2f5c-4e57-8f4b-2d6c0a3b9a01';
export const WORKER_ID = 'pod-1';
export const CLIENT_ID = 'monitor-pod-1';
export const BOOT_ID = '3a6b0a4e-3d55-4c29-8d0a-d9a0c1c1f001';
export const START = '2026-11-22T10:00:00.000Z';

/** A UUID that ends in `n`. */
export const uuidOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** Ids that count from 1, so that a run is the same each time. */
export const createCountingIds = (): Ids => {
  let count = 0;
  return {
    uuid: () => {
      count += 1;
      return uuidOf(count);
    },
  };
};

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly code: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Keeps lines instead of printing them. */
export const createSilentLogger = (): Logger & { readonly lines: LogLine[] } => {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine['level']) =>
    (code: string, data: LogLine['data'] = {}): void => {
      lines.push({ level, code, data });
    };
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
};

export const NO_NEEDS: JobNeeds = { classes: [], models: [], tags: [] };

/** A job that waits for its first dispatch. */
export const makeJob = (overrides: Partial<Job> = {}): Job => ({
  jobId: JOB_ID,
  userId: 'user-1',
  sessionId: 'session-1',
  workflowId: 'text_to_image_v1',
  priority: 5,
  status: 'pending',
  attempt: 0,
  revision: 1,
  eventSequence: 0,
  promptId: null,
  workerId: null,
  clientId: null,
  retryCount: 0,
  maxRetries: 3,
  createdAt: START,
  queuedAt: START,
  assignedAt: null,
  queuedBehind: null,
  startedAt: null,
  completedAt: null,
  updatedAt: START,
  storingSince: null,
  cancelRequestedAt: null,
  endingSince: null,
  endingReason: null,
  timeoutSeconds: 3600,
  needs: NO_NEEDS,
  fileCount: 0,
  callbackUrl: null,
  requestHash: null,
  retryOf: null,
  attempts: [],
  dueAt: null,
  progress: null,
  earlyOutputs: [],
  outputCount: 0,
  durationMs: null,
  failure: null,
  endedByEventId: null,
  connections: [],
  previewConnections: [],
  ...overrides,
});

/** A job whose first attempt is with `WORKER_ID`. */
export const makeAssignedJob = (overrides: Partial<Job> = {}): Job =>
  makeJob({
    status: 'assigned',
    attempt: 1,
    revision: 2,
    promptId: PROMPT_ID,
    workerId: WORKER_ID,
    clientId: CLIENT_ID,
    assignedAt: START,
    dueAt: '2026-11-22T10:01:00.000Z',
    ...overrides,
  });

export const makeRegistration = (overrides: Partial<WorkerRegistration> = {}): WorkerRegistration => ({
  workerId: WORKER_ID,
  clientId: CLIENT_ID,
  bootId: BOOT_ID,
  sequence: 1,
  timestamp: START,
  endpoint: 'http://10.0.3.17:8188',
  comfyuiVersion: '0.3.64',
  tags: [],
  ...overrides,
});

/** A detail of that type, by default of the job and attempt of `makeAssignedJob`. */
export const makeDetail = <T extends DetailType>(
  detailType: T,
  overrides: Partial<DetailOf<T>> = {},
): DetailOf<T> =>
  eventCatalogue[detailType].schema.parse({ ...exampleOf(detailType), ...overrides }) as DetailOf<T>;

/** What Lambda gets from EventBridge. */
export interface Envelope {
  readonly id: string;
  readonly source: string;
  readonly 'detail-type': string;
  readonly detail: unknown;
}

/** The envelope in which that detail comes from whom it should come. */
export const envelopeOf = <T extends DetailType>(detailType: T, detail: DetailOf<T>): Envelope => ({
  id: detail.eventId,
  source:
    eventCatalogue[detailType].origin === 'pipeline'
      ? PIPELINE_SOURCE
      : monitorSource(detail.workerId ?? 'nobody'),
  'detail-type': detailType,
  detail,
});

/** `makeDetail` in its envelope. */
export const makeEvent = <T extends DetailType>(
  detailType: T,
  overrides: Partial<DetailOf<T>> = {},
): Envelope => envelopeOf(detailType, makeDetail(detailType, overrides));
