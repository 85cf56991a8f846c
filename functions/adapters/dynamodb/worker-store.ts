/** The worker registry. Reports of a monitor apply in order: by boot, then by its own sequence. */
import { GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { WorkerRegistration, WorkerStore } from '../../core/ports.ts';
import type { Worker, WorkerReport } from '../../core/worker.ts';
import { createExpression } from './expression.ts';
import { expiryOf, queryPages, readRow, readRows, whenConditionHolds, type StoreOptions } from './table.ts';
import { assignmentOf, sortedTags, workerKey, workerRowSchema, type StoredCondition } from './worker-row.ts';

/** A worker that nobody heard of for so long is forgotten. */
const KEEP_DAYS = 7;

/** Builds a write: what must hold, what is set, and the words that stand for names and values in both. */
type Write = (words: {
  /** `#n0 = :v0` */
  readonly is: (attribute: string, value: unknown) => string;
  readonly below: (attribute: string, value: unknown) => string;
}) => {
  readonly when: readonly string[];
  readonly set: Readonly<Record<string, unknown>>;
};

/**
 * `size` of a map is the number of its children, so the depth holds in the write itself:
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
 */
export const createWorkerStore = ({ table, clock, logger }: StoreOptions): WorkerStore => {
  const { client, tableName: TableName } = table;

  /** One conditional write; false when its condition did not hold. `held` is made where an old row has none. */
  const write = async (workerId: string, build: Write, fresh = false): Promise<boolean> => {
    const { name, value, names, values } = createExpression();
    const { when, set } = build({
      is: (attribute, content) => `${name(attribute)} = ${value(content)}`,
      below: (attribute, content) => `${name(attribute)} < ${value(content)}`,
    });
    const sets = Object.entries(set).map(([attribute, content]) => `${name(attribute)} = ${value(content)}`);
    if (!fresh) sets.push(`${name('held')} = if_not_exists(${name('held')}, ${value({})})`);
    const there = fresh ? 'attribute_not_exists(pk)' : 'attribute_exists(pk)';
    const written = await whenConditionHolds(
      client.send(
        new UpdateCommand({
          TableName,
          Key: workerKey(workerId),
          ConditionExpression: [there, ...when].join(' AND '),
          UpdateExpression: `SET ${sets.join(', ')}`,
          ExpressionAttributeNames: names(),
          ExpressionAttributeValues: values(),
        }),
      ),
    );
    return written !== undefined;
  };

  /**
   * Order among boots is by the pod's own clock (`reportedAt`). Leases are counted by ours (`lastSeenAt`): a pod whose
   * clock is wrong is neither lost at once nor never.
   */
  const heard = ({ sequence, timestamp }: WorkerReport): Readonly<Record<string, unknown>> => ({
    monitorSequence: sequence,
    reportedAt: new Date(timestamp).toISOString(),
    lastSeenAt: new Date(clock.now()).toISOString(),
    expiresAt: expiryOf(clock.now(), KEEP_DAYS),
  });

  const announced = (registration: WorkerRegistration): Readonly<Record<string, unknown>> => ({
    ...heard(registration),
    clientId: registration.clientId,
    endpoint: registration.endpoint,
    bootId: registration.bootId,
    comfyuiVersion: registration.comfyuiVersion,
    tags: sortedTags(registration.tags),
    ...(registration.kind === undefined ? {} : { kind: registration.kind }),
    connectedAt: new Date(clock.now()).toISOString(),
    avoidUntil: null,
    failedSince: null,
    condition: 'ready' satisfies StoredCondition,
  });

  /** The newer report of the boot that registered; an older boot's last words change nothing. */
  const next = (
    report: WorkerReport,
    set: Readonly<Record<string, unknown>>,
    also: (is: Parameters<Write>[0]['is']) => readonly string[] = () => [],
  ): Promise<boolean> =>
    write(report.workerId, ({ is, below }) => ({
      when: [is('bootId', report.bootId), below('monitorSequence', report.sequence), ...also(is)],
      set,
    }));

  const create = (registration: WorkerRegistration): Promise<boolean> =>
    write(
      registration.workerId,
      () => ({
        when: [],
        set: {
          ...announced(registration),
          workerId: registration.workerId,
          held: {},
          drains: false,
          quarantined: false,
          lastAssignedAt: null,
          catalogueHash: null,
          registeredAt: new Date(clock.now()).toISOString(),
        },
      }),
      true,
    );

  /**
   * A boot that began later. The quarantine of the last one ends with it; what an operator wished is of the worker, which
   * is the same pod, and stays until it is taken back.
   */
  const takeOver = (registration: WorkerRegistration): Promise<boolean> =>
    write(registration.workerId, ({ is, below }) => ({
      when: [
        `NOT ${is('bootId', registration.bootId)}`,
        below('reportedAt', new Date(registration.timestamp).toISOString()),
      ],
      set: { ...announced(registration), quarantined: false },
    }));

  const isReady = (report: WorkerReport): Promise<boolean> =>
    next(
      report,
      { ...heard(report), condition: 'ready' satisfies StoredCondition, failedSince: null },
      (is) => [`NOT ${is('condition', 'stopped')}`],
    );

  /** One that has failed before keeps the instant of it. */
  const hasFailed = async (report: WorkerReport): Promise<boolean> => {
    const failed = { ...heard(report), condition: 'failed' satisfies StoredCondition };
    const failedSince = new Date(clock.now()).toISOString();
    return (
      (await next(report, failed, (is) => [is('condition', 'failed')])) ||
      next(report, { ...failed, failedSince }, (is) => [`NOT ${is('condition', 'stopped')}`])
    );
  };

  const heartbeat: WorkerStore['heartbeat'] = async ({ available, ...report }) => {
    const answers = (): Promise<boolean> => (available ? isReady(report) : hasFailed(report));
    // A worker that said goodbye stays gone until it registers, which may happen between the two writes.
    const answered =
      (await answers()) ||
      (await next(report, heard(report), (is) => [is('condition', 'stopped')])) ||
      (await answers());
    return answered ? 'applied' : 'refused';
  };

  return {
    register: async (registration) => {
      const applied =
        (await create(registration)) ||
        (await takeOver(registration)) ||
        (await next(registration, announced(registration)));
      return applied ? 'applied' : 'refused';
    },
    heartbeat,
    stop: async (report) =>
      (await next(report, { ...heard(report), condition: 'stopped' satisfies StoredCondition }))
        ? 'applied'
        : 'refused',
    get: async (workerId) => {
      const { Item } = await client.send(
        new GetCommand({ TableName, Key: workerKey(workerId), ConsistentRead: true }),
      );
      return Item === undefined ? undefined : readRow(workerRowSchema, Item);
    },
    list: async () => {
      const workers: Worker[] = [];
      const pages = queryPages(table, {
        KeyConditionExpression: 'pk = :workers',
        ExpressionAttributeValues: { ':workers': 'WORKERS' },
        ConsistentRead: true,
      });
      for await (const rows of pages) workers.push(...readRows(workerRowSchema, rows, logger));
      return workers;
    },
    claim: async (workerId, { jobId, attempt, userId, assignedAt }, depth, models) => {
      const claimed = await whenConditionHolds(
        client.send(
          new UpdateCommand({
            TableName,
            Key: workerKey(workerId),
            ConditionExpression:
              '#condition = :ready AND NOT #drains = :yes AND NOT #quarantined = :yes AND size(#held) < :depth AND attribute_not_exists(#held.#job)',
            UpdateExpression: `SET #held.#job = :assignment, #last = :at${models === undefined ? '' : ', lastModels = :models'}`,
            ExpressionAttributeNames: {
              '#condition': 'condition',
              '#drains': 'drains',
              '#quarantined': 'quarantined',
              '#held': 'held',
              '#job': jobId,
              '#last': 'lastAssignedAt',
            },
            ExpressionAttributeValues: {
              ':ready': 'ready',
              ':yes': true,
              ':depth': depth,
              ':assignment': { jobId, attempt, userId, assignedAt },
              ':at': assignedAt,
              ...(models === undefined ? {} : { ':models': models }),
            },
          }),
        ),
      );
      return claimed !== undefined;
    },
    release: async (workerId, jobId, attempt) => {
      const released = await whenConditionHolds(
        client.send(
          new UpdateCommand({
            TableName,
            Key: workerKey(workerId),
            ConditionExpression: '#held.#job.#attempt = :attempt',
            UpdateExpression: 'REMOVE #held.#job',
            ExpressionAttributeNames: { '#held': 'held', '#job': jobId, '#attempt': 'attempt' },
            ExpressionAttributeValues: { ':attempt': attempt },
            ReturnValues: 'ALL_OLD',
          }),
        ),
      );
      if (released?.Attributes === undefined) return undefined;
      return assignmentOf(released.Attributes, jobId);
    },
    avoid: async (workerId, until) => {
      await write(workerId, () => ({ when: [], set: { avoidUntil: until } }));
    },
    markLost: (workerId, lastSeenAt) =>
      write(workerId, ({ is }) => ({
        when: [is('lastSeenAt', lastSeenAt), `NOT ${is('condition', 'lost')}`],
        set: { condition: 'lost' satisfies StoredCondition },
      })),
    setDraining: (workerId, drains) => write(workerId, () => ({ when: [], set: { drains } })),
    quarantine: (workerId, bootId) =>
      write(workerId, ({ is }) => ({ when: [is('bootId', bootId)], set: { quarantined: true } })),
    setCatalogue: async (workerId, catalogueHash) => {
      await write(workerId, () => ({ when: [], set: { catalogueHash } }));
    },
  };
};
