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
  /** OIDC issuer URL and audience of the `$connect` authorizer. */
  jwtIssuer: 'JWT_ISSUER',
  jwtAudience: 'JWT_AUDIENCE',
} as const;
