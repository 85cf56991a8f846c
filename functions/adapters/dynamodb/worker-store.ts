/** The worker registry. Reports of a monitor apply in order: by boot, then by its own sequence. */
import { GetCommand, QueryCommand, UpdateCommand, type UpdateCommandInput } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { WorkerStore } from '../../core/ports.ts';
import type { Worker, WorkerReport } from '../../core/worker.ts';
import { readRow, whenConditionHolds, type StoreOptions } from './table.ts';

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

const HEARD = 'monitorSequence = :sequence, reportedAt = :at, lastSeenAt = :seen';

/** What a worker that is available again is: busy while it holds a job, else idle. */
const availableStatus = (holdsJob: boolean): Worker['status'] => (holdsJob ? 'busy' : 'idle');

export const createWorkerStore = ({
  table: { client, tableName: TableName },
  clock,
}: StoreOptions): WorkerStore => {
  const reportValues = ({ bootId, sequence, timestamp }: WorkerReport) => ({
    ':boot': bootId,
    ':sequence': sequence,
    ':at': timestamp,
    ':seen': new Date(clock.now()).toISOString(),
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
   * a claim in between makes the write fail, and it is tried once more on what is then true.
   */
  const makeAvailable = async (
    report: WorkerReport,
    extra: string,
    values: Record<string, unknown>,
    newer: string,
  ) => {
    for (const holdsJob of [false, true, false]) {
      const answer = await update(report.workerId, {
        ConditionExpression: `${newer} AND ${holdsJob ? 'currentJobId <> :none' : 'currentJobId = :none'}`,
        UpdateExpression: `SET #status = :status, ${HEARD}${extra}`,
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: {
          ...reportValues(report),
          ...values,
          ':status': availableStatus(holdsJob),
          ':none': null,
        },
      });
      if (answer !== undefined) return 'applied' as const;
    }
    return 'refused' as const;
  };

  return {
    get,
    register: async ({ endpoint, comfyuiVersion, ...report }) => {
      const { workerId, clientId } = report;
      const created = await update(workerId, {
        ConditionExpression: 'attribute_not_exists(pk)',
        UpdateExpression: `SET #status = :idle, workerId = :worker, clientId = :client, endpoint = :endpoint, currentJobId = :none, currentAttempt = :none, assignedAt = :none, bootId = :boot, ${HEARD}, comfyuiVersion = :version, registeredAt = :seen, avoidUntil = :none`,
        ExpressionAttributeNames: STATUS,
        ExpressionAttributeValues: {
          ':idle': 'idle',
          ':worker': workerId,
          ':client': clientId,
          ':endpoint': endpoint,
          ':none': null,
          ':version': comfyuiVersion,
          ...reportValues(report),
        },
      });
      if (created !== undefined) return 'applied';
      const extra =
        ', bootId = :boot, clientId = :client, endpoint = :endpoint, comfyuiVersion = :version, avoidUntil = :none';
      const values = { ':client': clientId, ':endpoint': endpoint, ':version': comfyuiVersion };
      return makeAvailable(report, extra, values, NEWER);
    },
    heartbeat: async ({ available, ...report }) => {
      if (available) return makeAvailable(report, '', {}, SAME_BOOT);
      return applied(
        await update(report.workerId, {
          ConditionExpression: SAME_BOOT,
          UpdateExpression: `SET #status = :failed, ${HEARD}`,
          ExpressionAttributeNames: STATUS,
          ExpressionAttributeValues: { ...reportValues(report), ':failed': 'failed' },
        }),
      );
    },
    stop: async (report) =>
      applied(
        await update(report.workerId, {
          ConditionExpression: SAME_BOOT,
          UpdateExpression: `SET #status = :stopped, ${HEARD}`,
          ExpressionAttributeNames: STATUS,
          ExpressionAttributeValues: { ...reportValues(report), ':stopped': 'stopped' },
        }),
      ),
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
        workers.push(...(page.Items ?? []).map((item) => readRow(workerRowSchema, item)));
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
