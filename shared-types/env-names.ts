/** Names of the environment variables that the template sets and the functions read. */
export const ENV = {
  /** Stage name: `local`, `dev`, `prod`. */
  stage: 'STAGE',
  /** Name of the event bus, `${stage}-comfyui-events`. */
  eventBusName: 'EVENT_BUS_NAME',
  /** Name of the one DynamoDB table. */
  tableName: 'TABLE_NAME',
  /** Bucket of the stored media, behind the CDN. */
  mediaBucketName: 'MEDIA_BUCKET_NAME',
  /** Bucket of submitted workflows, behind nothing. */
  workflowBucketName: 'WORKFLOW_BUCKET_NAME',
  /** Base URL of the CDN, without a trailing slash. */
  cdnUrl: 'CDN_URL',
  /** Seed 003: `wss://…/stage`; the management API of the same stage is reached from it. */
  webSocketApiEndpoint: 'WEBSOCKET_API_ENDPOINT',
  /** `public`: worker addresses must be public; `private`: private networks are allowed; `any`: loopback as well. */
  workerAddressPolicy: 'WORKER_ADDRESS_POLICY',
  /** `true` stores outputs of `type: temp` too. */
  storeTempOutputs: 'STORE_TEMP_OUTPUTS',
  /** Bucket of the files that users upload for their workflows, behind nothing. */
  uploadBucketName: 'UPLOAD_BUCKET_NAME',
  /** `true` on the stage `local` alone: a request without credentials is the user `local`, who may do anything. */
  openAccess: 'OPEN_ACCESS',
  /** Prompts that wait in a worker's ComfyUI behind the one that runs, 0–8. */
  prefetchDepth: 'PREFETCH_DEPTH',
  /** Attempts of one user that workers may hold at once, 1–1000. */
  maxRunningPerUser: 'MAX_RUNNING_PER_USER',
  /** A worker is lost after so many seconds without a heartbeat, 3–3600. */
  workerLeaseSeconds: 'WORKER_LEASE_SECONDS',
  /** Like WORKER_ADDRESS_POLICY, for callback URLs and for the URLs of file inputs. */
  outboundAddressPolicy: 'OUTBOUND_ADDRESS_POLICY',
  /** JSON: the worker pools that are scaled; see `functions/core/scaling`. */
  workerPools: 'WORKER_POOLS',
  /** JSON: the providers where instances of the stage may be, whether a pool names them still or not. */
  workerProviders: 'WORKER_PROVIDERS',
  /** Secrets Manager secret with the keys of the providers; empty when no pool needs one. */
  providerSecretArn: 'PROVIDER_SECRET_ARN',
  /** Function that takes pictures while sampling, for monitors to invoke; empty where the stage has none. */
  previewFunctionName: 'PREVIEW_FUNCTION_NAME',
  /** OIDC issuer URL and audience of the tokens that callers send; empty when there are API keys only. */
  jwtIssuer: 'JWT_ISSUER',
  jwtAudience: 'JWT_AUDIENCE',
} as const;
