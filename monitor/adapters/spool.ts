/**
 * What a monitor must not forget: events that were promised and not yet accepted, and the last sequence of each job.
 * An append-only file of JSON lines, synced before anything of it is sent. Duplicates are possible, gaps are not.
 */
import { chmod, mkdir, open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { eventCatalogue, isDetailType } from '../../shared-types/index.ts';
import type { MonitorEvent, ResumedJob } from '../core/monitor-state.ts';
import type { Metrics } from './metrics.ts';

const COMPACT_BYTES = 4 * 1024 * 1024;
/** Ended jobs that are still known, so that a late frame after a restart cannot end them again. */
const KEEP_ENDED = 500;

const jobSchema = z.object({
  promptId: z.string(),
  jobId: z.string(),
  attempt: z.number().int(),
  sequence: z.number().int().min(0),
  overallPercentage: z.number().min(0).max(100),
  started: z.boolean(),
  terminal: z.boolean(),
  executing: z.array(z.string()),
  executed: z.array(z.string()),
});

const lineSchema = z.discriminatedUnion('k', [
  z.object({ k: z.literal('event'), detailType: z.string(), detail: z.looseObject({ eventId: z.string() }) }),
  /** A snapshot that need not be sent again, but whose sequence is used. */
  z.object({ k: z.literal('used'), detail: z.looseObject({}) }),
  z.object({ k: z.literal('job'), job: jobSchema }),
  z.object({ k: z.literal('sent'), ids: z.array(z.string()) }),
]);
type Line = z.infer<typeof lineSchema>;

/** A snapshot replaces the one before it and a heartbeat is old news: neither is worth a place in the spool. */
export const isTransient = (detailType: MonitorEvent['detailType']): boolean =>
  detailType === 'Node Progress Update' || detailType === 'Monitor Heartbeat';

const TERMINAL = new Set<string>(['Job Completed', 'Job Failed', 'Job Cancelled']);

interface JobMemory extends Omit<ResumedJob, 'executing' | 'executed'> {
  readonly executing: Set<string>;
  readonly executed: Set<string>;
}

const detailSchema = z.looseObject({
  promptId: z.string(),
  jobId: z.string(),
  attempt: z.number().int(),
  sequence: z.number().int(),
  overallPercentage: z.number().optional().catch(undefined),
  nodes: z
    .array(z.looseObject({ nodeId: z.string() }))
    .optional()
    .catch(undefined),
});

/** Everything that the lines so far amount to. */
interface Memory {
  readonly unsent: Map<string, MonitorEvent>;
  readonly jobs: Map<string, JobMemory>;
}

const rememberJob = (memory: Memory, detailType: string, detail: unknown): void => {
  const read = detailSchema.safeParse(detail);
  if (!read.success) return;
  const { promptId, jobId, attempt, sequence, overallPercentage = 0, nodes = [] } = read.data;
  const before = memory.jobs.get(promptId);
  const executing = before?.executing ?? new Set<string>();
  const executed = before?.executed ?? new Set<string>();
  const target =
    detailType === 'Node Executing' ? executing : detailType === 'Node Executed' ? executed : undefined;
  for (const node of nodes) target?.add(node.nodeId);
  const terminal = before?.terminal === true || TERMINAL.has(detailType);
  memory.jobs.delete(promptId);
  memory.jobs.set(promptId, {
    promptId,
    jobId,
    attempt,
    sequence: Math.max(before?.sequence ?? 0, sequence),
    overallPercentage: Math.max(before?.overallPercentage ?? 0, overallPercentage),
    started: before?.started === true || detailType === 'Job Started',
    terminal,
    executing: terminal ? new Set() : executing,
    executed: terminal ? new Set() : executed,
  });
};

const isMonitorEvent = (line: Extract<Line, { k: 'event' }>): boolean =>
  isDetailType(line.detailType) && eventCatalogue[line.detailType].origin === 'monitor';

const remember = (memory: Memory, line: Line): void => {
  if (line.k === 'sent') for (const id of line.ids) memory.unsent.delete(id);
  else if (line.k === 'used') rememberJob(memory, 'Node Progress Update', line.detail);
  else if (line.k === 'job') {
    const { executing, executed, ...job } = line.job;
    memory.jobs.set(job.promptId, { ...job, executing: new Set(executing), executed: new Set(executed) });
  } else if (isMonitorEvent(line)) {
    const { detailType, detail } = line;
    memory.unsent.set(detail.eventId, { detailType, detail } as unknown as MonitorEvent);
    rememberJob(memory, detailType, detail);
  }
};

const asResumed = (job: JobMemory): ResumedJob => ({
  ...job,
  executing: [...job.executing],
  executed: [...job.executed],
});

const lineOf = (event: MonitorEvent): Line => {
  const { detailType, detail } = event;
  if (!isTransient(detailType)) return { k: 'event', detailType, detail };
  const { promptId, jobId, attempt, sequence } = detail;
  const overallPercentage = 'overallPercentage' in detail ? detail.overallPercentage : 0;
  return { k: 'used', detail: { promptId, jobId, attempt, sequence, overallPercentage } };
};

const textOf = (lines: readonly Line[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

const parseLine = (text: string): Line | undefined => {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

/** Lines that are whole; the rest is the torn tail of a write that a crash cut short. */
const load = async (path: string, memory: Memory, metrics: Metrics): Promise<number> => {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  const whole = bytes.lastIndexOf('\n') + 1;
  for (const text of bytes.subarray(0, whole).toString('utf8').split('\n')) {
    if (text === '') continue;
    const line = parseLine(text);
    if (line === undefined) metrics.add('spool_skipped_lines_total');
    else remember(memory, line);
  }
  return whole;
};

const forgetEnded = (memory: Memory): void => {
  const ended = [...memory.jobs.values()].filter((job) => job.terminal);
  for (const job of ended.slice(0, -KEEP_ENDED)) memory.jobs.delete(job.promptId);
};

const snapshotOf = (memory: Memory): Line[] => [
  ...[...memory.jobs.values()].map((job): Line => ({
    k: 'job',
    job: { ...asResumed(job), executing: [...job.executing], executed: [...job.executed] },
  })),
  ...[...memory.unsent.values()].map((event) => lineOf(event)),
];

/** Replaces the file in one step: a crash leaves the old one or the new one, both whole. */
const compact = async (path: string, memory: Memory): Promise<{ file: FileHandle; size: number }> => {
  forgetEnded(memory);
  const text = textOf(snapshotOf(memory));
  const next = await open(`${path}.next`, 'w', 0o600);
  await next.writeFile(text);
  await next.datasync();
  await rename(`${path}.next`, path);
  await next.close();
  return { file: await open(path, 'a', 0o600), size: Buffer.byteLength(text) };
};

export interface Spool {
  /** Events promised by an earlier run and not known to be accepted, in the order of their promise. */
  readonly unsent: readonly MonitorEvent[];
  readonly jobs: readonly ResumedJob[];
  /** Resolves when the events are on disk. Rejects when the disk refuses. */
  append(events: readonly MonitorEvent[]): Promise<void>;
  /** Marks events as accepted; not synced: after a crash they may be sent twice. */
  sent(eventIds: readonly string[]): Promise<void>;
  depth(): number;
  close(): Promise<void>;
}

const openFile = async (
  dir: string,
  memory: Memory,
  metrics: Metrics,
): Promise<{ file: FileHandle; size: number }> => {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const path = join(dir, 'events.jsonl');
  const size = await load(path, memory, metrics);
  const file = await open(path, 'a', 0o600);
  await file.chmod(0o600);
  await file.truncate(size);
  return { file, size };
};

/** Opens the spool in `dir` (made 0700, its files 0600). `compactBytes` bounds the file. */
export const openSpool = async (
  dir: string,
  metrics: Metrics,
  compactBytes = COMPACT_BYTES,
): Promise<Spool> => {
  const memory: Memory = { unsent: new Map(), jobs: new Map() };
  let { file, size } = await openFile(dir, memory, metrics);
  let limit = compactBytes;
  const unsent = [...memory.unsent.values()];
  const jobs = [...memory.jobs.values()].map(asResumed);
  let tail: Promise<unknown> = Promise.resolve();

  const write = async (lines: readonly Line[], sync: boolean): Promise<void> => {
    for (const line of lines) remember(memory, line);
    const text = textOf(lines);
    await file.appendFile(text);
    if (sync) await file.datasync();
    size += Buffer.byteLength(text);
    if (size <= limit) return;
    await file.close();
    ({ file, size } = await compact(join(dir, 'events.jsonl'), memory));
    limit = Math.max(compactBytes, size * 2);
  };
  /** One write at a time, in the order of the calls, whatever became of the ones before. */
  const inTurn = (task: () => Promise<void>): Promise<void> => {
    const done = tail.then(task);
    tail = done.catch(() => undefined);
    return done;
  };

  return {
    unsent,
    jobs,
    append: (events) =>
      inTurn(() =>
        write(events.filter((e) => e.detail.jobId !== null || !isTransient(e.detailType)).map(lineOf), true),
      ),
    sent: (eventIds) => {
      const ids = eventIds.filter((id) => memory.unsent.has(id));
      return ids.length === 0 ? Promise.resolve() : inTurn(() => write([{ k: 'sent', ids }], false));
    },
    depth: () => memory.unsent.size,
    close: () => inTurn(() => file.close()),
  };
};
