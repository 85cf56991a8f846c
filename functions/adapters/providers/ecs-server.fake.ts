/**
 * Amazon ECS over AWS JSON 1.1, with the tasks of one cluster (docs.aws.amazon.com/AmazonECS/latest/APIReference:
 * RunTask, ListTasks, DescribeTasks, StopTask, "Ensuring idempotency").
 */
import {
  startFaultyServer,
  type FakeAnswer,
  type FakeRequest,
  type FaultyServer,
  type ProviderFault,
} from './provider-contract-server.ts';

interface Tag {
  readonly key: string;
  readonly value: string;
}
interface RunTaskBody {
  readonly cluster: string;
  readonly taskDefinition: string;
  readonly startedBy?: string;
  readonly clientToken?: string;
  readonly tags?: readonly Tag[];
  readonly overrides?: {
    readonly containerOverrides?: readonly {
      readonly name: string;
      readonly environment?: readonly { readonly name: string; readonly value: string }[];
      readonly resourceRequirements?: readonly unknown[];
    }[];
    readonly ephemeralStorage?: { readonly sizeInGiB: number };
  };
  readonly [key: string]: unknown;
}

export interface FakeTask {
  readonly taskArn: string;
  readonly asked: RunTaskBody;
  lastStatus: string;
  desiredStatus: 'RUNNING' | 'STOPPED';
  stopCode?: string;
}

export interface FakeEcs {
  readonly server: FaultyServer;
  readonly tasks: FakeTask[];
  /** Task definitions that find no machine, and what ECS says of it. */
  readonly full: Map<string, string>;
  /** Tasks that ListTasks does not show yet: the API is eventually consistent. */
  readonly unlisted: Set<string>;
  /** Tasks that are gone by the time they shall be stopped. */
  readonly vanishing: Set<string>;
  addTask(asked: Partial<RunTaskBody>): FakeTask;
  stop(): Promise<void>;
}

const ACCOUNT = 'arn:aws:ecs:eu-west-1:123456789012';
const CREATED_AT = Date.parse('2026-11-22T10:00:01.000Z') / 1000;
/** Smaller than the real 100, so that three tasks are two pages. */
const PAGE = 2;

const json = (status: number, value: unknown): FakeAnswer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.1' },
  body: JSON.stringify(value),
});
const exception = (type: string, message: string, more: object = {}): FakeAnswer =>
  json(400, { __type: type, message, ...more });

const shown = (task: FakeTask, withTags: boolean) => ({
  taskArn: task.taskArn,
  clusterArn: `${ACCOUNT}:cluster/${task.asked.cluster}`,
  lastStatus: task.lastStatus,
  desiredStatus: task.desiredStatus,
  startedBy: task.asked.startedBy,
  createdAt: CREATED_AT,
  ...(task.stopCode === undefined ? {} : { stopCode: task.stopCode }),
  attachments: [
    {
      type: 'ElasticNetworkInterface',
      status: 'ATTACHED',
      details: [{ name: 'privateIPv4Address', value: '10.0.0.7' }],
    },
  ],
  containers: [],
  overrides: task.asked.overrides,
  ...(withTags ? { tags: task.asked.tags ?? [] } : {}),
});

type State = Omit<FakeEcs, 'server' | 'stop' | 'addTask'>;

const add = (state: State, asked: RunTaskBody, lastStatus: string): FakeTask => {
  const serial = String(state.tasks.length + 1).padStart(32, '0');
  const taskArn = `${ACCOUNT}:task/${asked.cluster}/${serial}`;
  const task: FakeTask = { taskArn, asked, lastStatus, desiredStatus: 'RUNNING' };
  state.tasks.push(task);
  return task;
};

const runTask = (state: State, asked: RunTaskBody): FakeAnswer => {
  const same = state.tasks.find(({ asked: { clientToken } }) => clientToken === asked.clientToken);
  if (same !== undefined && asked.clientToken !== undefined) {
    if (JSON.stringify(same.asked) === JSON.stringify(asked)) {
      return json(200, { tasks: [shown(same, true)], failures: [] });
    }
    return exception('ConflictException', 'The clientToken is in use', { resourceIds: [same.taskArn] });
  }
  const reason = state.full.get(asked.taskDefinition);
  if (reason?.includes(' ') === true) return exception('ClientException', reason);
  if (reason !== undefined) {
    return json(200, { tasks: [], failures: [{ arn: `${ACCOUNT}:container-instance/1`, reason }] });
  }
  return json(200, { tasks: [shown(add(state, asked, 'PROVISIONING'), true)], failures: [] });
};

const listTasks = (state: State, asked: Record<string, string | undefined>): FakeAnswer => {
  const { startedBy, desiredStatus, family, serviceName, nextToken } = asked;
  if (startedBy !== undefined && (desiredStatus ?? family ?? serviceName) !== undefined) {
    return exception('InvalidParameterException', 'startedBy must be the only filter');
  }
  const all = state.tasks.filter(
    (task) =>
      task.desiredStatus === 'RUNNING' &&
      (startedBy === undefined || task.asked.startedBy === startedBy) &&
      !state.unlisted.has(task.taskArn),
  );
  const from = Number(nextToken ?? 0);
  const taskArns = all.slice(from, from + PAGE).map(({ taskArn }) => taskArn);
  const more = from + PAGE < all.length ? { nextToken: String(from + PAGE) } : {};
  return json(200, { taskArns, ...more });
};

const describeTasks = (
  state: State,
  asked: { readonly tasks: readonly string[]; readonly include?: readonly string[] },
): FakeAnswer => {
  if (asked.tasks.length === 0 || asked.tasks.length > 100) {
    return exception('InvalidParameterException', 'Tasks must be between 1 and 100');
  }
  const found = state.tasks.filter(({ taskArn }) => asked.tasks.includes(taskArn));
  const missing = asked.tasks.filter((arn) => found.every(({ taskArn }) => taskArn !== arn));
  return json(200, {
    tasks: found.map((task) => shown(task, asked.include?.includes('TAGS') === true)),
    failures: missing.map((arn) => ({ arn, reason: 'MISSING' })),
  });
};

const stopTask = (state: State, arn: string): FakeAnswer => {
  const task = state.tasks.find(({ taskArn }) => taskArn === arn);
  if (task === undefined || state.vanishing.has(arn)) {
    return exception('InvalidParameterException', 'The referenced task was not found.');
  }
  task.desiredStatus = 'STOPPED';
  task.stopCode = 'UserInitiated';
  return json(200, { task: shown(task, false) });
};

const actionOf = ({ headers }: FakeRequest): string =>
  String(headers['x-amz-target'] ?? '').replace('AmazonEC2ContainerServiceV20141113.', '');

const answer = (state: State, request: FakeRequest): FakeAnswer => {
  const body = JSON.parse(request.body) as RunTaskBody & { task: string; tasks: string[] };
  switch (actionOf(request)) {
    case 'RunTask':
      return runTask(state, body);
    case 'ListTasks':
      return listTasks(state, body as Record<string, unknown> as Record<string, string | undefined>);
    case 'DescribeTasks':
      return describeTasks(state, body);
    case 'StopTask':
      return stopTask(state, body.task);
    default:
      return exception('UnknownOperationException', 'no such operation');
  }
};

/** AWS tells faults by type under status 400. */
const faultAnswer = (fault: ProviderFault, message: string): FakeAnswer | undefined => {
  if (fault === 'unauthorized') return exception('AccessDeniedException', message);
  if (fault === 'forbidden') return exception('UnrecognizedClientException', message);
  if (fault === 'serverError') return { ...exception('ServerException', message), status: 500 };
  if (fault !== 'rateLimited') return undefined;
  const throttled = exception('ThrottlingException', `Rate exceeded ${message}`);
  return { ...throttled, headers: { ...throttled.headers, 'retry-after': '7' } };
};

export const startFakeEcs = async (): Promise<FakeEcs> => {
  const state: State = { tasks: [], full: new Map(), unlisted: new Set(), vanishing: new Set() };
  const server = await startFaultyServer({
    answer: (request) => answer(state, request),
    isLaunch: (request) => actionOf(request) === 'RunTask',
    faultAnswer,
  });
  return {
    ...state,
    server,
    addTask: (asked) => add(state, { cluster: 'gpu', taskDefinition: 'other', ...asked }, 'RUNNING'),
    stop: () => server.stop(),
  };
};
