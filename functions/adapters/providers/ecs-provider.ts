/** Workers as tasks of a cluster of Amazon ECS. */
import {
  DescribeTasksCommand,
  ECSClient,
  InvalidParameterException,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
  type RunTaskRequest,
  type Task,
} from '@aws-sdk/client-ecs';
import type { Clock } from '../../core/ports.ts';
import {
  isPoolOfStage,
  type GetAnswer,
  type LaunchAnswer,
  type LaunchRequest,
  type ProviderInstance,
  type ProviderRefusal,
  type TerminateAnswer,
  type WorkerProvider,
} from '../../core/providers/worker-provider.ts';
import { systemClock } from '../system.ts';
import { conflictingTasks, failureRefusal, refusalFromError } from './ecs-errors.ts';
import { instanceOf, runTaskRequest, startedByOf, type EcsPlacement, type EcsProduct } from './ecs-task.ts';
import { withDeadline } from './provider-deadline.ts';
import { launchProblem } from './provider-launch.ts';

export interface EcsProviderOptions extends EcsPlacement {
  readonly products: readonly EcsProduct[];
  /** Where the API is, where it is not AWS. Else `AWS_ENDPOINT_URL`; region and credentials as everywhere. */
  readonly endpoint?: string;
  readonly clock?: Clock;
}

const METHOD_MS = 28_000;
/** Tasks that one DescribeTasks takes, and that one page of ListTasks has. */
const PAGE = 100;
/** An account has no more tasks of one pool than this: a list that goes on is a fault. */
const MAX_PAGES = 100;
const TASK_ARN = /^arn:[a-z0-9-]+:ecs:[a-z0-9-]+:\d{12}:task\/[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)?$/;

const isList = Array.isArray;
const doesNotRead = (what: string): ProviderRefusal => ({
  kind: 'unavailable',
  message: `ECS: the answer to ${what} does not read`,
});

interface Context {
  readonly client: ECSClient;
  readonly options: EcsProviderOptions;
  readonly prices: ReadonlyMap<string, number>;
  readonly clock: Clock;
}

type Tasks = { readonly kind: 'tasks'; readonly tasks: readonly Task[] } | ProviderRefusal;

const isTask = (task: unknown): task is Task => typeof task === 'object' && task !== null;

/** The client reads any JSON: what has no list of tasks is no answer, and must not look like an empty list. */
const describeTasks = async (
  { client, options }: Context,
  arns: readonly string[],
  abortSignal: AbortSignal,
): Promise<Tasks> => {
  const command = new DescribeTasksCommand({ cluster: options.cluster, tasks: [...arns], include: ['TAGS'] });
  const { tasks } = await client.send(command, { abortSignal });
  return isList(tasks) && tasks.every(isTask) ? { kind: 'tasks', tasks } : doesNotRead('DescribeTasks');
};

/** What to look for: one pool, or, without `startedBy`, every task of the cluster. */
interface Asked {
  readonly startedBy?: string;
  readonly isAsked: (pool: string) => boolean;
}

const ofPool = (pool: string): Asked => ({
  startedBy: startedByOf(pool),
  isAsked: (found) => found === pool,
});
const ofStage = (stage: string): Asked => ({ isAsked: (found) => isPoolOfStage(stage, found) });

/** Tasks that are wanted to run. ECS takes no other filter beside `startedBy`, and no beginning of it. */
const listArns = async ({ client, options }: Context, { startedBy }: Asked, abortSignal: AbortSignal) => {
  const arns: string[] = [];
  let nextToken: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { cluster } = options;
    const token = nextToken === undefined ? {} : { nextToken };
    const by = startedBy === undefined ? {} : { startedBy };
    const command = new ListTasksCommand({ cluster, ...by, maxResults: PAGE, ...token });
    const answer = await client.send(command, { abortSignal });
    if (!isList(answer.taskArns)) return undefined;
    arns.push(...answer.taskArns);
    nextToken = answer.nextToken;
    if (nextToken === undefined) return arns;
  }
  return undefined;
};

type Listing = { readonly kind: 'listed'; readonly instances: ProviderInstance[] } | ProviderRefusal;

const listAsked = async (context: Context, asked: Asked, signal: AbortSignal): Promise<Listing> => {
  const arns = await listArns(context, asked, signal);
  if (arns === undefined) return doesNotRead('ListTasks');
  const instances: ProviderInstance[] = [];
  for (let at = 0; at < arns.length; at += PAGE) {
    const described = await describeTasks(context, arns.slice(at, at + PAGE), signal);
    if (described.kind !== 'tasks') return described;
    for (const task of described.tasks) {
      const instance = instanceOf(task, context.prices);
      if (instance !== undefined && asked.isAsked(instance.pool)) instances.push(instance);
    }
  }
  return { kind: 'listed', instances };
};

const getTask = async (context: Context, arn: string, signal: AbortSignal): Promise<GetAnswer> => {
  const described = await describeTasks(context, [arn], signal);
  if (described.kind !== 'tasks') return described;
  const [task] = described.tasks;
  const instance = task === undefined ? undefined : instanceOf(task, context.prices);
  return instance === undefined ? { kind: 'absent' } : { kind: 'found', instance };
};

/** A token that was used with another lease: the task of the first call is the one. */
const taskOfToken = async (context: Context, arns: readonly string[], signal: AbortSignal) => {
  for (const arn of arns) {
    const answer = await getTask(context, arn, signal);
    if (answer.kind === 'found') return { kind: 'launched', instance: answer.instance } as const;
    if (answer.kind !== 'absent') return answer;
  }
  return doesNotRead('RunTask');
};

const runTask = async (
  context: Context,
  input: RunTaskRequest,
  abortSignal: AbortSignal,
): Promise<LaunchAnswer> => {
  try {
    const { tasks, failures } = await context.client.send(new RunTaskCommand(input), { abortSignal });
    const [failure] = isList(failures) ? failures : [];
    const [task] = isList(tasks) ? tasks : [];
    if (!isTask(task)) {
      return failure === undefined ? doesNotRead('RunTask') : failureRefusal(failure.reason ?? 'no reason');
    }
    const instance = instanceOf(task, context.prices);
    return instance === undefined ? doesNotRead('RunTask') : { kind: 'launched', instance };
  } catch (error) {
    const arns = conflictingTasks(error);
    if (arns.length === 0) throw error;
    return await taskOfToken(context, arns, abortSignal);
  }
};

const launch = async (
  context: Context,
  request: LaunchRequest,
  signal: AbortSignal,
): Promise<LaunchAnswer> => {
  const listing = await listAsked(context, ofPool(request.pool), signal);
  if (listing.kind !== 'listed') return listing;
  const instance = listing.instances.find(({ workerId }) => workerId === request.workerId);
  if (instance !== undefined) return { kind: 'launched', instance };
  const launchedAt = new Date(context.clock.now()).toISOString();
  let answer: LaunchAnswer = { kind: 'noCapacity', message: 'ECS: none of these products is known' };
  for (const id of request.products) {
    const product = context.options.products.find((known) => known.id === id);
    if (product === undefined) continue;
    const input = runTaskRequest(request, product, context.options, launchedAt);
    answer = await refusing(context, Object.values(request.environment), () =>
      runTask(context, input, signal),
    );
    if (answer.kind !== 'noCapacity') return answer;
  }
  return answer;
};

const terminate = async (context: Context, arn: string, signal: AbortSignal): Promise<TerminateAnswer> => {
  const answer = await getTask(context, arn, signal);
  if (answer.kind !== 'found') return answer;
  const { state } = answer.instance;
  if (state === 'stopped' || state === 'failed') return { kind: 'absent' };
  const { cluster } = context.options;
  const command = new StopTaskCommand({ cluster, task: arn, reason: 'the control plane ends this worker' });
  try {
    const { task } = await context.client.send(command, { abortSignal: signal });
    return isTask(task) ? { kind: 'terminated' } : doesNotRead('StopTask');
  } catch (error) {
    // Cluster and id were right a moment ago, so that the task itself is what it does not know.
    if (error instanceof InvalidParameterException) return { kind: 'absent' };
    throw error;
  }
};

/** Runs it, and tells what it throws as a refusal. */
const refusing = async <T>(
  { client }: Context,
  secrets: readonly string[],
  run: () => Promise<T>,
): Promise<T | ProviderRefusal> => {
  try {
    return await run();
  } catch (error) {
    return await refusalFromError(error, client, secrets);
  }
};

/**
 * Workers on Amazon ECS (docs.aws.amazon.com/AmazonECS/latest/APIReference: RunTask, ListTasks, DescribeTasks,
 * StopTask). An instance is a task; its marks are tags, so `ecs:TagResource` is needed beside the four. A worker is
 * one task by its client token and by its tag. The image is that of the task definition. Its logs are where the
 * definition sends them.
 */
export const createEcsProvider = (options: EcsProviderOptions): WorkerProvider => {
  const { clock = systemClock, endpoint } = options;
  // One attempt: the caller repeats, and the deadline is over the whole method.
  const client = new ECSClient({ maxAttempts: 1, ...(endpoint === undefined ? {} : { endpoint }) });
  const prices = options.products.flatMap(({ id, pricePerHour }) =>
    pricePerHour === undefined ? [] : [[id, pricePerHour] as const],
  );
  const context: Context = { client, options, clock, prices: new Map(prices) };
  const run = <T>(method: (signal: AbortSignal) => Promise<T>): Promise<T | ProviderRefusal> =>
    refusing(context, [], () => withDeadline(clock, METHOD_MS, method));
  return {
    name: 'ecs',
    launch: async (request) =>
      launchProblem(request) ?? (await run((signal) => launch(context, request, signal))),
    get: async (arn) =>
      TASK_ARN.test(arn) ? await run((signal) => getTask(context, arn, signal)) : { kind: 'absent' },
    list: (pool) => run((signal) => listAsked(context, ofPool(pool), signal)),
    listStage: (stage) => run((signal) => listAsked(context, ofStage(stage), signal)),
    terminate: async (arn) =>
      TASK_ARN.test(arn) ? await run((signal) => terminate(context, arn, signal)) : { kind: 'absent' },
    logs: async () => ({ kind: 'unsupported' }),
    products: async () => ({
      kind: 'products',
      products: options.products.map(({ id, name, pricePerHour = null }) => ({
        id,
        name: name ?? id,
        pricePerHour,
        // ECS says only when asked to run something.
        available: true,
      })),
    }),
  };
};
