/** A browser asks to follow a job: snapshot first, then every push. */
import {
  MAX_SUBSCRIPTIONS_PER_CONNECTION,
  type PushMessage,
  type PushOf,
} from '../../../shared-types/index.ts';
import { outputsOfJob } from '../job-outputs.ts';
import { snapshotOf, type SnapshotDetails } from '../job-snapshot.ts';
import { isTerminal, type Job } from '../job.ts';
import { MAX_NODE_RECORDS, nodeRecordsOf } from '../node-records.ts';
import type {
  Clock,
  ConnectionStore,
  JobStore,
  Logger,
  OutputStore,
  Pusher,
  SubscriptionStore,
  TimelineStore,
} from '../ports.ts';
import { NO_OUTLOOK, outlookOf, type OutlookDependencies } from '../task-outlook.ts';
import { readRequest, refusal, type ClientRequest } from './read-request.ts';

export interface SubscribeDependencies extends OutlookDependencies {
  readonly jobs: JobStore;
  readonly outputs: OutputStore;
  readonly timeline: TimelineStore;
  readonly connections: ConnectionStore;
  readonly subscriptions: SubscriptionStore;
  readonly pusher: Pusher;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Transitions that are read for a snapshot: two a node, of several attempts. */
const MAX_TRANSITIONS = 10 * MAX_NODE_RECORDS;

/** What cannot be read or estimated is no reason to leave the browser without its snapshot. */
const detailsOf = async (job: Job, deps: SubscribeDependencies): Promise<SnapshotDetails> => {
  try {
    const [transitions, outlook] = await Promise.all([
      job.attempt === 0 ? [] : deps.timeline.list(job.jobId, MAX_TRANSITIONS),
      isTerminal(job.status) ? NO_OUTLOOK : outlookOf(job, deps.clock.now(), deps),
    ]);
    return { nodes: nodeRecordsOf(transitions.filter(({ attempt }) => attempt === job.attempt)), outlook };
  } catch (error) {
    deps.logger.warn('subscribe.no-details', { jobId: job.jobId, reason: String(error) });
    return { nodes: [], outlook: NO_OUTLOOK };
  }
};

const snapshot = async (job: Job, deps: SubscribeDependencies): Promise<PushMessage> => {
  const [outputs, details] = await Promise.all([outputsOfJob(job, deps.outputs), detailsOf(job, deps)]);
  return snapshotOf(job, outputs, details);
};

const follow = async (
  { jobId, previews }: Extract<ClientRequest, { kind: 'subscribe' }>,
  connectionId: string,
  deps: SubscribeDependencies,
): Promise<PushOf<'error'> | undefined> => {
  const { jobs, connections, subscriptions, pusher } = deps;
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
    const message = `one connection may follow ${MAX_SUBSCRIPTIONS_PER_CONNECTION} jobs; unsubscribe from one, or open another`;
    return refusal('tooManySubscriptions', message, jobId);
  }
  // The snapshot goes out before the connection is added, so that no push can overtake it; a change that fell
  // between the two is healed by a second snapshot.
  if ((await pusher.send(connectionId, await snapshot(before, deps))) === 'gone') return undefined;
  const after = await subscriptions.subscribe(jobId, connection.userId, connectionId, previews);
  if (after === undefined) return notFound;
  if (after.revision > before.revision) await pusher.send(connectionId, await snapshot(after, deps));
  return undefined;
};

/** Leaves a job, if it was followed; a guess at another user's job changes nothing. */
const leave = async (
  jobId: string,
  connectionId: string,
  { connections, subscriptions }: SubscribeDependencies,
): Promise<undefined> => {
  const connection = await connections.get(connectionId);
  if (connection?.jobIds.includes(jobId) !== true) return undefined;
  await subscriptions.unsubscribe(jobId, connectionId);
  await connections.removeJob(connectionId, jobId);
  return undefined;
};

const answerTo = async (
  request: ClientRequest,
  connectionId: string,
  deps: SubscribeDependencies,
): Promise<PushMessage | undefined> => {
  switch (request.kind) {
    case 'subscribe':
      return follow(request, connectionId, deps);
    case 'unsubscribe':
      return leave(request.jobId, connectionId, deps);
    case 'ping':
      return { type: 'pong' };
    case 'refused':
      return request.error;
  }
};

/** Handles one message of a browser; what is wrong with it goes back as an `error` push. */
export const subscribe = async (
  body: string | undefined,
  connectionId: string,
  deps: SubscribeDependencies,
): Promise<void> => {
  const answer = await answerTo(readRequest(body), connectionId, deps);
  if (answer !== undefined) await deps.pusher.send(connectionId, answer);
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
