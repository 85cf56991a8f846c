/** What a stage's own file says: everything in which stages differ but who may call. */
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { FunctionName } from './function-specs.ts';

export interface StageSettings {
  /** Pins the stage to one account; undefined leaves it to the credentials of the deployment. */
  readonly account: string | undefined;
  /** What becomes of the table and the buckets when they leave the stack. */
  readonly removal: 'destroy' | 'retain';
  readonly deletionProtection: boolean;
  /** 1–35. */
  readonly pointInTimeRecoveryDays: number;
  readonly logRetention: RetentionDays;
  readonly archiveDays: number;
  readonly mediaExpiryDays: number;
  /** Workflows are read until their job is gone from the table, so not shorter than the life of a job. */
  readonly workflowExpiryDays: number;
  /** `public`, `private` or `any`: see `ENV.workerAddressPolicy`. */
  readonly workerAddressPolicy: 'public' | 'private' | 'any';
  /** The same of callback URLs and of the URLs of file inputs: see `ENV.outboundAddressPolicy`. */
  readonly outboundAddressPolicy: 'public' | 'private' | 'any';
  readonly storeTempOutputs: boolean;
  /** Pictures while sampling, one call of a function every two seconds for each job that is watched. */
  readonly previews: boolean;
  /** Whether the page is deployed with the stage. */
  readonly page: boolean;
  /** Prompts that wait in a worker's ComfyUI behind the one that runs, 0–8. */
  readonly prefetchDepth: number;
  /** Attempts of one user that workers may hold at once, 1–1000. */
  readonly maxRunningPerUser: number;
  /** A worker is lost after so many seconds without a heartbeat, 3–3600: three times what its monitor is set to. */
  readonly workerLeaseSeconds: number;
  /** The pools of workers that are scaled, as `functions/core/scaling` reads them; none by default. */
  readonly workerPools: readonly Readonly<Record<string, unknown>>[];
  /**
   * Every provider where instances of the stage are, or may be left: those of the pools, which synthesis asks for, and
   * those of pools that are gone. One that is taken out is not reaped any more.
   */
  readonly workerProviders: readonly Readonly<Record<string, unknown>>[];
  /** Origins of pages that may call the API and read media; `*` for any, none for same-origin pages only. */
  readonly corsOrigins: readonly string[];
  readonly cdnScheme: 'http' | 'https';
  /** Steady requests per second and burst, for each route; undefined leaves the account's own limits. */
  readonly throttle: { readonly rateLimit: number; readonly burstLimit: number } | undefined;
  /**
   * Reserved concurrency by function: a cap as much as a guarantee. AWS keeps 100 unreserved, so an account
   * with the small default quota can't hold any.
   */
  readonly reservedConcurrency: Readonly<Partial<Record<FunctionName, number>>>;
}
