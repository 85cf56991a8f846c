import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { StageSettings } from '../stage-settings.ts';

/** A shared account for trying things out: may be small, and goes with its stack, once the buckets were emptied: CloudFormation deletes no bucket with objects. */
export const dev: StageSettings = {
  account: undefined,
  removal: 'destroy',
  deletionProtection: false,
  pointInTimeRecoveryDays: 7,
  logRetention: RetentionDays.ONE_WEEK,
  archiveDays: 7,
  mediaExpiryDays: 30,
  workflowExpiryDays: 30,
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
  // Pages under development; name others with -c corsOrigins=
  corsOrigins: ['http://localhost:3000', 'http://localhost:5173', 'http://localhost:8080'],
  cdnScheme: 'https',
  throttle: { rateLimit: 50, burstLimit: 100 },
  reservedConcurrency: {},
};
