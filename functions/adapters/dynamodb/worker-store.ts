/** The worker registry. Reports of a monitor apply in order: by boot, then by its own sequence. */
import { GetCommand, QueryCommand, UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { WorkerRegistration, WorkerStore } from '../../core/ports.ts';
import type { Worker, WorkerReport } from '../../core/worker.ts';
import { expiryOf, readRow, readRows, whenConditionHolds, type StoreOptions } from './table.ts';

const workerRowSchema = z.object({
  workerId: z.string(),
  clientId: z.string(),
  endpoint: z.string(),
  status: z.enum(['starting', 'idle', 'busy', 'draining', 'failed', 'lost', 'stopped']),
  currentJobId: z.string().nullable(),
  currentAttempt: z.number().int().nullable(),
  assignedAt: z.string().nullable(),
  bootId: z.string(),
  monitorSequence: z.number().int(),
  comfyuiVersion: z.string().nullable(),
  registeredAt: z.string(),
  lastSeenAt: z.string(),
  avoidUntil: z.string().nullable(),
});

const workerKey = (workerId: string) => ({ pk: 'WORKERS', sk: workerId });

/** `status` is a reserved word of DynamoDB's expressions. */
const STATUS = { '#status': 'status' };

/**
 * A report of this boot that is newer, or of a boot that began later by the pod's own clock (`reportedAt`). Leases
 * are counted by ours (`lastSeenAt`): a pod whose clock is wrong is neither lost at once nor never.
 */
const NEWER = '((bootId = :boot AND monitorSequence < :sequence) OR (bootId <> :boot AND reportedAt < :at))';
/** A report of the boot that registered; an older boot's last words change nothing. */
const SAME_BOOT = 'bootId = :boot AND monitorSequence < :sequence';

/** A worker that nobody heard of for so long is forgotten. */
const KEEP_DAYS = 7;

const HEARD = 'monitorSequence = :sequence, reportedAt = :at, lastSeenAt = :seen, expiresAt = :expiry';

/** How a worker that answers turns out, by what it holds. */
const ANSWERING = [
  { condition: 'currentJobId = :none', set: '#status = :idle, ' },
  { condition: 'currentJobId <> :none', set: '#status = :busy, ' },
];

/** How `makeAvailable` recognises a newer report and a worker that is set aside, and what else it writes. */
interface Availability {
  readonly newer: string;
  readonly setAside: string;
  readonly extra: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** DynamoDB refuses values that an expression does not name. */
const used = (expressions: string, values: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const named = new Set(expressions.match(/:\w+/g));
  return Object.fromEntries(Object.entries(values).filter(([name]) => named.has(name)));
};

export const createWorkerStore = ({
  table: { client, tableName: TableName },
  clock,
  logger,
}: StoreOptions): WorkerStore => {
  const reportValues = ({ bootId, sequence, timestamp }: WorkerReport) => ({
    ':boot': bootId,
    ':sequence': sequence,
    ':at': new Date(timestamp).toISOString(),
    ':seen': new Date(clock.now()).toISOString(),
    ':expiry': expiryOf(clock.now(), KEEP_DAYS),
  });
  const update = (workerId: string, input: Omit<UpdateCommandInput, 'TableName' | 'Key'>) =>
    whenConditionHolds(client.send(new UpdateCommand({ TableName, Key: workerKey(workerId), ...input })));
  const applied = (answer: unknown): 'applied' | 'refused' => (answer === undefined ? 'refused' : 'applied');

  const get: WorkerStore['get'] = async (workerId) => {
    const { Item } = await client.send(
      new GetCommand({ TableName, Key: workerKey(workerId), ConsistentRead: true }),
    );
    return Item === undefined ? undefined : readRow(workerRowSchema, Item);
  };

  /**
   * Turns a worker available without taking a job from it: whether it holds one is compared in the same write, so
   * a claim in between makes the write fail, and it is tried again on what is then true.
   */
  const makeAvailable = async (
    report: WorkerReport,
    { newer, setAside, extra, values }: Availability,
  ): Promise<'applied' | 'refused'> => {
    const kept = { condition: setAside, set: '' };
    const others = ANSWERING.map(({ condition, set }) => ({
      condition: `${condition} AND NOT ${setAside}`,
      set,
    }));
    for (const { condition, set } of [...others, kept, ...others]) {
      const answer = await update(report.workerId, {
        ConditionExpression: `${newer} AND ${condition}`,
        UpdateExpression: `SET ${set}${HEARD}${extra}`,
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: used(`${newer} ${condition} ${set} ${HEARD} ${extra}`, {
          ...reportValues(report),
          ...values,
          ':idle': 'idle',
          ':busy': 'busy',
          ':draining': 'draining',
          ':stopped': 'stopped',
          ':none': null,
        }),
      });
      if (answer !== undefined) return 'applied';
    }
    return 'refused';
  };

  const setStatus = async (report: WorkerReport, status: Worker['status'], condition: string) =>
    applied(
      await update(report.workerId, {
        ConditionExpression: condition,
        UpdateExpression: `SET #status = :status, ${HEARD}`,
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: used(`${condition} :status ${HEARD}`, {
          ...reportValues(report),
          ':status': status,
          ':draining': 'draining',
          ':stopped': 'stopped',
        }),
      }),
    );

  const create = ({ endpoint, comfyuiVersion, ...report }: WorkerRegistration) =>
    update(report.workerId, {
      ConditionExpression: 'attribute_not_exists(pk)',
      UpdateExpression: `SET #status = :idle, workerId = :worker, clientId = :client, endpoint = :endpoint, currentJobId = :none, currentAttempt = :none, assignedAt = :none, bootId = :boot, comfyuiVersion = :version, registeredAt = :seen, avoidUntil = :none, ${HEARD}`,
      ExpressionAttributeNames: STATUS,
      ExpressionAttributeValues: {
        ...reportValues(report),
        ':idle': 'idle',
        ':worker': report.workerId,
        ':client': report.clientId,
        ':endpoint': endpoint,
        ':none': null,
        ':version': comfyuiVersion,
      },
    });

  return {
    get,
    register: async (registration) => {
      if ((await create(registration)) !== undefined) return 'applied';
      const { endpoint, comfyuiVersion, ...report } = registration;
      return makeAvailable(report, {
        newer: NEWER,
        setAside: '(#status = :draining AND bootId = :boot)',
        extra:
          ', bootId = :boot, clientId = :client, endpoint = :endpoint, comfyuiVersion = :version, avoidUntil = :none',
        values: { ':client': report.clientId, ':endpoint': endpoint, ':version': comfyuiVersion },
      });
    },
    heartbeat: async ({ available, ...report }) => {
      const setAside = '#status IN (:draining, :stopped)';
      const kept = { newer: SAME_BOOT, setAside, extra: '', values: {} };
      if (available) return makeAvailable(report, kept);
      const failed = await setStatus(report, 'failed', `${SAME_BOOT} AND NOT ${setAside}`);
      return failed === 'applied' ? failed : makeAvailable(report, kept);
    },
    stop: (report) => setStatus(report, 'stopped', SAME_BOOT),
    list: async () => {
      const workers: Worker[] = [];
      let ExclusiveStartKey: Record<string, unknown> | undefined;
      do {
        const page = await client.send(
          new QueryCommand({
            TableName,
            KeyConditionExpression: 'pk = :workers',
            ExpressionAttributeValues: { ':workers': 'WORKERS' },
            ConsistentRead: true,
            ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
          }),
        );
        workers.push(...readRows(workerRowSchema, page.Items ?? [], logger));
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey !== undefined);
      return workers;
    },
    claim: async (workerId, jobId, attempt, at) =>
      (await update(workerId, {
        ConditionExpression: '#status = :idle AND currentJobId = :none',
        UpdateExpression:
          'SET #status = :busy, currentJobId = :job, currentAttempt = :attempt, assignedAt = :at',
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: {
          ':idle': 'idle',
          ':busy': 'busy',
          ':none': null,
          ':job': jobId,
          ':attempt': attempt,
          ':at': at,
        },
      })) !== undefined,
    release: async (workerId, jobId, attempt) => {
      const holds = 'currentJobId = :job AND currentAttempt = :attempt';
      const clear = 'currentJobId = :none, currentAttempt = :none';
      const values = { ':job': jobId, ':attempt': attempt, ':none': null, ':busy': 'busy' };
      const freed = await update(workerId, {
        ConditionExpression: `${holds} AND #status = :busy`,
        UpdateExpression: `SET #status = :idle, ${clear}`,
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: { ...values, ':idle': 'idle' },
      });
      if (freed !== undefined) return true;
      // Lost, stopped, failed or draining: it gives the job up and stays what it is.
      const givenUp = await update(workerId, {
        ConditionExpression: `${holds} AND #status <> :busy`,
        UpdateExpression: `SET ${clear}`,
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: values,
      });
      return givenUp !== undefined;
    },
    avoid: async (workerId, until) => {
      await update(workerId, {
        ConditionExpression: 'attribute_exists(pk)',
        UpdateExpression: 'SET avoidUntil = :until',
        ExpressionAttributeValues: { ':until': until },
      });
    },
    markLost: async (workerId, lastSeenAt) =>
      (await update(workerId, {
        ConditionExpression: 'lastSeenAt = :seen AND #status <> :lost',
        UpdateExpression: 'SET #status = :lost',
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: { ':seen': lastSeenAt, ':lost': 'lost' },
      })) !== undefined,
  };
};
