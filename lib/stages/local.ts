import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { StageSettings } from '../stage-settings.ts';

/** One machine, run by the embedded AWS. Never deployed: it has no authentication. */
export const local: StageSettings = {
  // No such account exists, so `cdk deploy` of this stage finds no credentials and stops.
  account: '000000000000',
  removal: 'destroy',
  deletionProtection: false,
  pointInTimeRecoveryDays: 1,
  logRetention: RetentionDays.ONE_DAY,
  archiveDays: 1,
  mediaExpiryDays: 30,
  workflowExpiryDays: 30,
  workerAddressPolicy: 'any',
  outboundAddressPolicy: 'any',
  storeTempOutputs: false,
  previews: true,
  // The demo serves it.
  page: false,
  prefetchDepth: 1,
  maxRunningPerUser: 100,
  workerLeaseSeconds: 60,
  workerPools: [],
  workerProviders: [],
  corsOrigins: ['*'],
  cdnScheme: 'http',
  throttle: undefined,
  reservedConcurrency: {},
};
