/** What the rules need from outside: one port an outside thing. Adapters implement them, fakes stand beside. */
import type { Readable } from 'node:stream';
import type {
  DetailType,
  HistoryEntry,
  JobStatus,
  OutputFile,
  PipelineEvent,
  PushMessage,
} from '../../shared-types/index.ts';
import type { Job, JobChange, JobNeeds, JobOutputs, JobUpdate } from './job.ts';
import type { Assignment, Worker, WorkerReport } from './worker.ts';
import type { Catalogue } from './workflow/catalogue.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Ids {
  /** A random (version 4) UUID, lower case. */
  uuid(): string;
}

/** One structured log line: a stable code and its data. Never prompts, tokens or picture bytes. */
export interface Logger {
  info(code: string, data?: Readonly<Record<string, unknown>>): void;
  warn(code: string, data?: Readonly<Record<string, unknown>>): void;
  error(code: string, data?: Readonly<Record<string, unknown>>): void;
}

export interface JobStore {
  create(job: Job): Promise<'created' | 'exists'>;
  /** Consistent read. */
  get(jobId: string): Promise<Job | undefined>;
  update(change: JobChange): Promise<JobUpdate>;
}

/** Which connection follows which job; kept on both, so that either side can be cleaned up. */
export interface SubscriptionStore {
  /** Adds the connection to the job of that user and answers the job as it then is. */
  subscribe(
    jobId: string,
    userId: string,
    connectionId: string,
    previews?: boolean,
  ): Promise<Job | undefined>;
  unsubscribe(jobId: string, connectionId: string): Promise<void>;
}

export interface Connection {
  readonly connectionId: string;
  readonly userId: string;
  readonly jobIds: readonly string[];
}

export interface ConnectionStore {
  create(connectionId: string, userId: string): Promise<void>;
  get(connectionId: string): Promise<Connection | undefined>;
  /** Records that the connection follows the job; `full` when it follows `max` others already. */
  addJob(connectionId: string, jobId: string, max: number): Promise<'added' | 'full' | 'gone'>;
  removeJob(connectionId: string, jobId: string): Promise<void>;
  remove(connectionId: string): Promise<void>;
}

export interface QueueEntry {
  readonly jobId: string;
  readonly userId: string;
  readonly priority: number;
  /** ISO 8601; age. */
  readonly queuedAt: string;
  /** ISO 8601; not dispatched before this. */
  readonly notBefore: string | null;
  readonly needs: JobNeeds;
}

/**
 * Pending jobs, a queue a user, in the order of dispatch within it (`queueRank`: priority with ageing, then age).
 * Read consistently: a lagging index loses wake-ups.
 */
export interface QueueStore {
  /** Writes the entry, then marks the user's queue as waiting. */
  put(entry: QueueEntry): Promise<void>;
  /** The first `limit` entries of a user, or the first after that one, which need not be there any more. */
  list(userId: string, limit: number, after?: QueueEntry): Promise<readonly QueueEntry[]>;
  remove(entry: QueueEntry): Promise<void>;
  /** Entries of a user, at most `max`. */
  count(userId: string, max: number): Promise<number>;
}

/** What one user's job was charged when it was dispatched. */
export interface Charge {
  readonly jobId: string;
  readonly attempt: number;
  /** Milliseconds of ComfyUI that it was expected to take. */
  readonly chargedMs: number;
}

/**
 * A user's share of the workers, by start-time fair queueing: whoever has had least goes first.
 * (P. Goyal, H. M. Vin, H. Cheng: Start-time Fair Queuing, SIGCOMM 1996.)
 */
export interface UserShare {
  readonly userId: string;
  /** Changes with each entry that is put; null when the user's queue was found empty. */
  readonly waitingStamp: string | null;
  readonly paused: boolean;
  /** Finish tag: virtual milliseconds of ComfyUI that the user has been charged. */
  readonly finishMs: number;
  /** Start tag of the last dispatch; the greatest of all users is the virtual time. */
  readonly startMs: number;
  /** Moving average of what the user's jobs took, milliseconds; null before the first end. */
  readonly averageMs: number | null;
  /** Jobs that the average was taken of; absent in shares from before it was counted. */
  readonly averagedJobs?: number | undefined;
  /** Attempts that were given to workers and have not left them. */
  readonly active: readonly Charge[];
}

export interface Shares {
  /** The whole queue is paused by an operator. */
  readonly paused: boolean;
  readonly users: readonly UserShare[];
}

export interface ShareStore {
  /** Consistent read of all. */
  list(): Promise<Shares>;
  get(userId: string): Promise<UserShare | undefined>;
  /**
   * Charges a dispatch: one conditional write that holds the cap and the order. False when the share has changed
   * since it was read (`finishMs`), the job is active already, or `cap` attempts are.
   */
  claim(
    share: UserShare,
    claim: Charge & { readonly startMs: number; readonly cap: number },
  ): Promise<boolean>;
  /**
   * The attempt left its worker after `actualMs` (null: unknown, or it never ran: nothing is charged for 0). Corrects
   * the charge and the average. False when it was not active.
   */
  release(userId: string, jobId: string, attempt: number, actualMs: number | null): Promise<boolean>;
  /** The queue was found empty: clears the mark unless an entry came in between. */
  settleEmpty(userId: string, waitingStamp: string): Promise<void>;
  setPaused(userId: string, paused: boolean): Promise<void>;
  setAllPaused(paused: boolean): Promise<void>;
}

export interface WorkerRegistration extends WorkerReport {
  readonly endpoint: string;
  readonly comfyuiVersion: string | null;
  readonly tags: readonly string[];
  /** `workerKind` of its devices. */
  readonly kind?: string;
}

export interface WorkerStore {
  /**
   * Registers or refreshes; an older report of the same boot, or of an older boot, is refused. What the worker holds
   * stays with it. Quarantine ends with a new boot only, `draining` with `setDraining` only.
   */
  register(registration: WorkerRegistration): Promise<'applied' | 'refused'>;
  /**
   * Refreshes lastSeenAt; `available: false` makes the worker `failed`, true makes `failed`/`lost` ready again.
   * `draining` and `stopped` stay what they are.
   */
  heartbeat(report: WorkerReport & { readonly available: boolean }): Promise<'applied' | 'refused'>;
  /** The monitor said goodbye. */
  stop(report: WorkerReport): Promise<'applied' | 'refused'>;
  get(workerId: string): Promise<Worker | undefined>;
  /** Consistent read of all. */
  list(): Promise<readonly Worker[]>;
  /**
   * Gives one slot of a ready worker to an attempt; false when it is not ready, holds that job already, or holds
   * `depth` attempts.
   * @param depth slots in all: 1 and the prefetch depth
   * @param models `modelsKey` of the job, kept as the worker's `lastModels`
   */
  claim(workerId: string, assignment: Assignment, depth: number, models?: string): Promise<boolean>;
  /** Frees the slot of that attempt and answers what it held; undefined when the worker does not hold it. */
  release(workerId: string, jobId: string, attempt: number): Promise<Assignment | undefined>;
  /** Keeps a worker that could not be used out of the choice until then. */
  avoid(workerId: string, until: string): Promise<void>;
  /** Marks a silent worker lost if it has not been seen since `lastSeenAt`. */
  markLost(workerId: string, lastSeenAt: string): Promise<boolean>;
  /**
   * An operator's wish: `draining` true lets it finish and gives it nothing more, over restarts of its monitor too, until
   * it is taken back. False when there is no such worker.
   */
  setDraining(workerId: string, draining: boolean): Promise<boolean>;
  quarantine(workerId: string, bootId: string): Promise<boolean>;
  setCatalogue(workerId: string, catalogueHash: string): Promise<void>;
}

/** What ComfyUIs can run, by content hash: pods alike share one. */
export interface CatalogueStore {
  /** A second put of the same hash changes nothing. */
  put(hash: string, catalogue: Catalogue): Promise<void>;
  get(hash: string): Promise<Catalogue | undefined>;
}

export interface TaskFilter {
  readonly status?: JobStatus;
  readonly workflowId?: string;
  /** 1–100. */
  readonly limit: number;
  /** Opaque; from the page before. */
  readonly cursor?: string;
}

/** Jobs by user and jobs that are due: indexes, so they lag by milliseconds and decide nothing. */
export interface JobIndex {
  /** Newest first. `invalidCursor` for a cursor that is not ours or another user's. */
  list(
    userId: string,
    filter: TaskFilter,
  ): Promise<
    | { readonly kind: 'page'; readonly jobIds: readonly string[]; readonly cursor: string | undefined }
    | { readonly kind: 'invalidCursor' }
  >;
  /** Jobs of a user by status, each counted once: one pass over the index. */
  counts(userId: string): Promise<Readonly<Record<JobStatus, number>>>;
  /** Jobs whose `dueAt` is not after `now` (ISO 8601), longest overdue first. */
  due(now: string, limit: number): Promise<readonly string[]>;
}

export interface NodeTransition {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly nodeType: string;
  readonly state: 'executing' | 'executed';
  readonly at: string;
  readonly durationMs?: number;
  readonly cached?: boolean;
}

/** The node transitions of an attempt, one item an event; a second write of the same event changes nothing. */
export interface TimelineStore {
  append(
    jobId: string,
    attempt: number,
    sequence: number,
    transitions: readonly NodeTransition[],
  ): Promise<void>;
  /** Of all attempts, in the order of attempt and event; at most `max` transitions, the first ones. */
  list(jobId: string, max: number): Promise<readonly (NodeTransition & { readonly attempt: number })[]>;
}

/** The full list of outputs of an ended attempt. */
export interface OutputStore {
  put(jobId: string, attempt: number, outputs: JobOutputs): Promise<void>;
  get(jobId: string, attempt: number): Promise<JobOutputs>;
}

/** Submitted workflows as text: numbers in them must not pass through JSON.parse. */
export interface WorkflowStore {
  /**
   * What was put first stays: a second put of the same text is `stored`, of another `different`, so that two requests
   * with one Idempotency-Key cannot mix.
   */
  put(jobId: string, workflowText: string): Promise<'stored' | 'different'>;
  get(jobId: string): Promise<string | undefined>;
  /** Files that must be on the worker before the prompt runs. */
  putFiles(jobId: string, files: readonly JobFile[]): Promise<'stored' | 'different'>;
  getFiles(jobId: string): Promise<readonly JobFile[] | undefined>;
  /** URL from which a caller reads the workflow, for at most 15 minutes. */
  urlOf(jobId: string): Promise<string>;
}

/** A file input of a workflow, checked and made absolute at submission. */
export interface JobFile {
  readonly nodeId: string;
  readonly input: string;
  readonly source:
    | { readonly kind: 'file'; readonly key: string; readonly filename: string }
    | { readonly kind: 'url'; readonly url: string };
}

export interface UploadTicket {
  readonly fileId: string;
  /** PUT the bytes here, with just these headers. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** ISO 8601; at most 15 minutes ahead. */
  readonly expiresAt: string;
}

/** Files that users upload for their workflows; keys start with the user. */
export interface UploadStore {
  presign(request: {
    readonly userId: string;
    readonly fileId: string;
    readonly filename: string;
    readonly contentType: string;
    /** Bytes, exactly. */
    readonly size: number;
  }): Promise<UploadTicket>;
  /** The upload of that user, when its bytes are there. */
  find(
    userId: string,
    fileId: string,
  ): Promise<{ readonly key: string; readonly filename: string; readonly size: number } | undefined>;
  open(key: string): Promise<{ readonly body: Readable; readonly size: number } | undefined>;
}

/** Files that a caller named by URL. */
export interface RemoteFiles {
  /**
   * Fetches one file of at most 100 MB. `refused`: it will never do (an address that the policy does not allow, 404,
   * too large, a redirect to nowhere); `unreachable`: another time it may. The body fails with `file.refused` when it
   * turns out too large, too slow, or of another length than was declared.
   */
  open(
    url: string,
  ): Promise<
    | { readonly kind: 'found'; readonly body: Readable; readonly size: number }
    | { readonly kind: 'refused'; readonly message: string }
    | { readonly kind: 'unreachable'; readonly message: string }
  >;
}

export interface StoredWorkflow {
  readonly userId: string;
  readonly workflowId: string;
  /** JSON text, every digit as it was sent. */
  readonly workflowText: string;
  /** Parameter name → `<nodeId>.inputs.<input>`, one or several. */
  readonly parameters: Readonly<Record<string, string | readonly string[]>>;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Workflows that a user keeps under an id. */
export interface StoredWorkflowStore {
  put(workflow: StoredWorkflow): Promise<'created' | 'replaced'>;
  get(userId: string, workflowId: string): Promise<StoredWorkflow | undefined>;
  list(userId: string): Promise<readonly Omit<StoredWorkflow, 'workflowText'>[]>;
  remove(userId: string, workflowId: string): Promise<boolean>;
}

export type ApiScope = 'tasks:read' | 'tasks:write' | 'workers:read' | 'keys:write' | 'admin';

export interface ApiKey {
  readonly keyId: string;
  readonly userId: string;
  readonly name: string;
  readonly scopes: readonly ApiScope[];
  /** ISO 8601. */
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

/** API keys by the SHA-256 of the secret; the secret itself is nowhere. */
export interface ApiKeyStore {
  create(key: ApiKey, secretHash: string): Promise<void>;
  findBySecret(secretHash: string): Promise<ApiKey | undefined>;
  list(userId: string): Promise<readonly ApiKey[]>;
  /** False when that user has no such key. Idempotent. */
  revoke(userId: string, keyId: string, at: string): Promise<boolean>;
}

/** One-time tickets for the socket, by the SHA-256 of their secret. */
export interface TicketStore {
  create(secretHash: string, userId: string, expiresAt: string): Promise<void>;
  /** The user of a ticket that was neither used nor has expired; it is used up by this call. */
  redeem(secretHash: string, now: string): Promise<string | undefined>;
}

export interface EventPublisher {
  /** Rejects when an entry could not be published after retries. Validates each detail against its schema. */
  publish<T extends DetailType>(events: readonly PipelineEvent<T>[]): Promise<void>;
}

export interface Pusher {
  /** Sends to one connection; `gone` when it no longer exists (410). Rejects on other failures after retries. */
  send(connectionId: string, message: PushMessage): Promise<'sent' | 'gone'>;
}

export type PromptSubmission =
  | {
      readonly kind: 'accepted';
      /** Nodes whose outputs ComfyUI dropped. */ readonly droppedNodes: readonly string[];
    }
  | {
      readonly kind: 'rejected';
      readonly message: string;
      readonly nodeId?: string;
      readonly nodeType?: string;
    }
  /** It may or may not be queued: look it up before trying again. */
  | {
      readonly kind: 'unknown';
      readonly message: string;
      /** Of the answer, where one came at all. */ readonly httpStatus?: number;
    }
  /** The connection was refused: it is certainly not queued. */
  | { readonly kind: 'unreachable'; readonly message: string };

export type PromptLookup = 'running' | 'pending' | 'finished' | 'absent' | 'unreachable';

export type HistoryLookup =
  | { readonly kind: 'found'; readonly entry: HistoryEntry }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreachable'; readonly message: string };

export type FileFetch =
  | {
      readonly kind: 'found';
      /** Fails with the code `file.refused` when the file turns out too large or too slow. */
      readonly body: Readable;
      /** Content-Length; undefined when the server named none. */
      readonly length: number | undefined;
      readonly etag: string | undefined;
    }
  | { readonly kind: 'missing'; /** 404. */ readonly message: string }
  /** ComfyUI answers, and will never serve this file: 400, 403, a redirect, a part, something compressed. */
  | { readonly kind: 'unfetchable'; readonly message: string }
  | { readonly kind: 'unreachable'; readonly message: string };

/** One worker's ComfyUI over HTTP. `endpoint` comes from the registry, never from an event. */
export interface ComfyUi {
  submitPrompt(endpoint: string, body: string): Promise<PromptSubmission>;
  findPrompt(endpoint: string, promptId: string): Promise<PromptLookup>;
  history(endpoint: string, promptId: string): Promise<HistoryLookup>;
  /**
   * Asks ComfyUI to end one prompt and no other: `POST /api/jobs/{id}/cancel` where it exists, else deleted from the
   * queue by id and, if it runs, interrupted by id. What became of it is for `findPrompt` and `history` to tell.
   */
  endPrompt(endpoint: string, promptId: string): Promise<'asked' | 'unreachable'>;
  /**
   * `POST /upload/image` into the input folder. Answers the name to write into the workflow, subfolder included.
   */
  uploadFile(
    endpoint: string,
    file: {
      readonly body: Readable;
      readonly size: number;
      readonly filename: string;
      readonly subfolder: string;
    },
  ): Promise<
    | { readonly kind: 'uploaded'; readonly name: string }
    | { readonly kind: 'rejected'; readonly message: string }
    | { readonly kind: 'unreachable'; readonly message: string }
  >;
  /** The text of `/object_info`, at most 32 MB. */
  objectInfo(
    endpoint: string,
  ): Promise<
    | { readonly kind: 'found'; readonly text: string }
    | { readonly kind: 'unavailable'; readonly message: string }
  >;
  fetchFile(endpoint: string, file: OutputFile): Promise<FileFetch>;
}

export interface StoredObject {
  readonly size: number;
  readonly contentType: string;
  /** ETag of the file in ComfyUI when it was copied. */
  readonly sourceEtag: string | undefined;
}

export interface MediaObject {
  readonly key: string;
  readonly body: Readable;
  /** Bytes; the store verifies that it received just as many, and stores nothing otherwise. */
  readonly length: number | undefined;
  readonly contentType: string;
  /** `attachment` for types that a browser would execute (html, svg). */
  readonly contentDisposition: string;
  readonly sourceEtag: string | undefined;
}

export interface MediaStore {
  head(key: string): Promise<StoredObject | undefined>;
  /** `exists` when the key is taken and `overwrite` is false. Answers the size stored. */
  put(
    object: MediaObject,
    options: { readonly overwrite: boolean },
  ): Promise<{ readonly kind: 'stored'; readonly size: number } | { readonly kind: 'exists' }>;
  /** Public URL of a key. */
  urlOf(key: string): string;
}
