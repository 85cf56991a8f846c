/** What the rules need from outside: one port an outside thing. Adapters implement them, fakes stand beside. */
import type { Readable } from 'node:stream';
import type {
  DetailType,
  HistoryEntry,
  OutputFile,
  PipelineEvent,
  PushMessage,
} from '../../shared-types/index.ts';
import type { Job, JobChange, JobOutputs, JobUpdate } from './job.ts';
import type { Worker, WorkerReport } from './worker.ts';

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
  subscribe(jobId: string, userId: string, connectionId: string): Promise<Job | undefined>;
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
  remove(connectionId: string): Promise<void>;
}

export interface QueueEntry {
  readonly jobId: string;
  readonly priority: number;
  /** ISO 8601; age within a priority. */
  readonly queuedAt: string;
  /** ISO 8601; not dispatched before this. */
  readonly notBefore: string | null;
}

/** Pending jobs in the order of dispatch: priority, then age. Read consistently: a lagging index loses wake-ups. */
export interface QueueStore {
  put(entry: QueueEntry): Promise<void>;
  /** The first `limit` entries, or the first after that one, which need not be there any more. */
  list(limit: number, after?: QueueEntry): Promise<readonly QueueEntry[]>;
  remove(entry: QueueEntry): Promise<void>;
}

export interface WorkerRegistration extends WorkerReport {
  readonly endpoint: string;
  readonly comfyuiVersion: string | null;
}

export interface WorkerStore {
  /**
   * Registers or refreshes; an older report of the same boot, or of an older boot, is refused. What the worker holds
   * stays with it. `draining` ends with a new boot only.
   */
  register(registration: WorkerRegistration): Promise<'applied' | 'refused'>;
  /**
   * Refreshes lastSeenAt; `available: false` makes the worker `failed`, true makes `failed`/`lost` idle or busy again.
   * `draining` and `stopped` stay what they are.
   */
  heartbeat(report: WorkerReport & { readonly available: boolean }): Promise<'applied' | 'refused'>;
  /** The monitor said goodbye. */
  stop(report: WorkerReport): Promise<'applied' | 'refused'>;
  get(workerId: string): Promise<Worker | undefined>;
  /** Consistent read of all. */
  list(): Promise<readonly Worker[]>;
  /** Gives an idle worker to one attempt; false when another was faster. */
  claim(workerId: string, jobId: string, attempt: number, at: string): Promise<boolean>;
  /** Frees the worker of that attempt; false when it holds another, or none. */
  release(workerId: string, jobId: string, attempt: number): Promise<boolean>;
  /** Keeps a worker that could not be used out of the choice until then. */
  avoid(workerId: string, until: string): Promise<void>;
  /** Marks a silent worker lost if it has not been seen since `lastSeenAt`. */
  markLost(workerId: string, lastSeenAt: string): Promise<boolean>;
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
}

/** The full list of outputs of an ended attempt. */
export interface OutputStore {
  put(jobId: string, attempt: number, outputs: JobOutputs): Promise<void>;
  get(jobId: string, attempt: number): Promise<JobOutputs>;
}

/** Submitted workflows as text: numbers in them must not pass through JSON.parse. */
export interface WorkflowStore {
  put(jobId: string, workflowText: string): Promise<void>;
  get(jobId: string): Promise<string | undefined>;
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
