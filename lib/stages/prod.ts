import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { StageSettings } from '../stage-settings.ts';

/** What users rely on: data outlives the stack, and no function can starve the others. */
export const prod: StageSettings = {
  account: undefined,
  removal: 'retain',
  deletionProtection: true,
  pointInTimeRecoveryDays: 35,
  logRetention: RetentionDays.ONE_MONTH,
  archiveDays: 30,
  mediaExpiryDays: 365,
  workflowExpiryDays: 365,
  // The functions run in no VPC, so a private address leads nowhere.
  workerAddressPolicy: 'public',
  outboundAddressPolicy: 'public',
  storeTempOutputs: false,
  // Each picture is a paid call and a paid push; -c previews=true
  previews: false,
  page: true,
  prefetchDepth: 1,
  maxRunningPerUser: 20,
  workerLeaseSeconds: 60,
  workerPools: [],
  workerProviders: [],
  // None until named with -c corsOrigins=
  corsOrigins: [],
  cdnScheme: 'https',
  throttle: { rateLimit: 200, burstLimit: 400 },
  // The first copies large files for minutes and the second serializes on the same few items.
  reservedConcurrency: { 'job-completion': 50, dispatch: 5 },
};
