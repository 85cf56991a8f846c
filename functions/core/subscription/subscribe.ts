/** A browser asks to follow a job: snapshot first, then every push. */
import {
  MAX_CLIENT_MESSAGE_BYTES,
  MAX_SUBSCRIPTIONS_PER_CONNECTION,
  subscribeRequestSchema,
  type PushMessage,
  type PushOf,
} from '../../../shared-types/index.ts';
import { outputsOfJob } from '../job-outputs.ts';
import { snapshotOf } from '../job-snapshot.ts';
import type { Job } from '../job.ts';
import type { ConnectionStore, JobStore, OutputStore, Pusher, SubscriptionStore } from '../ports.ts';

export interface SubscribeDependencies {
  readonly jobs: JobStore;
  readonly outputs: OutputStore;
  readonly connections: ConnectionStore;
  readonly subscriptions: SubscriptionStore;
  readonly pusher: Pusher;
}

type ErrorCode = PushOf<'error'>['code'];
const refusal = (code: ErrorCode, message: string, jobId?: string): PushOf<'error'> => ({
  type: 'error',
  code,
  message,
  ...(jobId === undefined ? {} : { jobId }),
});

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

type SubscribeReading =
  | { readonly kind: 'ok'; readonly jobId: string }
  | { readonly kind: 'refused'; readonly error: PushOf<'error'> };

/** The job id asked for, or why there is none. */
export const readSubscribeRequest = (body: string | undefined): SubscribeReading => {
  const refused = (message: string): SubscribeReading => ({
    kind: 'refused',
    error: refusal('badRequest', message),
  });
  if (body === undefined || Buffer.byteLength(body) > MAX_CLIENT_MESSAGE_BYTES) {
    return refused('send {"action":"subscribe","jobId":"…"} in at most 32 KB');
  }
  const request = subscribeRequestSchema.safeParse(parseJson(body));
  if (request.success) return { kind: 'ok', jobId: request.data.jobId };
  const field = request.error.issues[0]?.path.join('.') || 'message';
  return refused(`${field}: send {"action":"subscribe","jobId":"…"}, where jobId is the id of a task`);
};

const snapshot = async (job: Job, outputs: OutputStore): Promise<PushMessage> =>
  snapshotOf(job, await outputsOfJob(job, outputs));

const follow = async (
  jobId: string,
  connectionId: string,
  { jobs, outputs, connections, subscriptions, pusher }: SubscribeDependencies,
): Promise<PushOf<'error'> | undefined> => {
  const notFound = refusal(
    'notFound',
    'no such job; check the id, it is the one that POST /api/v1/tasks answered',
    jobId,
  );
  const connection = await connections.get(connectionId);
  if (connection === undefined) return undefined; // It closed while its message travelled.
  const before = await jobs.get(jobId);
  if (before === undefined || before.userId !== connection.userId) return notFound;
  const added = await connections.addJob(connectionId, jobId, MAX_SUBSCRIPTIONS_PER_CONNECTION);
  if (added === 'gone') return undefined;
  if (added === 'full') {
    const message = `one connection may follow ${MAX_SUBSCRIPTIONS_PER_CONNECTION} jobs; open another`;
    return refusal('tooManySubscriptions', message, jobId);
  }
  // The snapshot goes out before the connection is added, so that no push can overtake it; a change that fell
  // between the two is healed by a second snapshot.
  if ((await pusher.send(connectionId, await snapshot(before, outputs))) === 'gone') return undefined;
  const after = await subscriptions.subscribe(jobId, connection.userId, connectionId);
  if (after === undefined) return notFound;
  if (after.revision > before.revision) await pusher.send(connectionId, await snapshot(after, outputs));
  return undefined;
};

/** Handles one message of a browser; what is wrong with it goes back as an `error` push. */
export const subscribe = async (
  body: string | undefined,
  connectionId: string,
  dependencies: SubscribeDependencies,
): Promise<void> => {
  const request = readSubscribeRequest(body);
  const problem =
    request.kind === 'ok' ? await follow(request.jobId, connectionId, dependencies) : request.error;
  if (problem !== undefined) await dependencies.pusher.send(connectionId, problem);
};

/** The connection closed: no job keeps it. */
export const disconnect = async (
  connectionId: string,
  { connections, subscriptions }: Pick<SubscribeDependencies, 'connections' | 'subscriptions'>,
): Promise<void> => {
  const connection = await connections.get(connectionId);
  for (const jobId of connection?.jobIds ?? []) await subscriptions.unsubscribe(jobId, connectionId);
  await connections.remove(connectionId);
};
