import { devNull } from 'node:os';
import type { AwsPlace } from '../contract.ts';
import type { FunctionDefinition } from './function-definition.ts';

/**
 * The environment of a function's thread: what Lambda sets, what the template sets, and nothing of this process, so
 * neither secrets nor settings of the developer's shell leak in. The template wins where Lambda lets it.
 */
export function functionEnvironment(
  definition: FunctionDefinition,
  place: AwsPlace,
  endpoint: string,
): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    // The SDK would look for the developer's own files in the home directory.
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: 'true',
    // It would warn of this machine's Node at every cold start; the function is deployed to its own runtime.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    // Whose call it is, where calls are counted.
    AWS_SDK_UA_APP_ID: definition.name.slice(0, 50),
    ...definition.environment,
    AWS_ACCESS_KEY_ID: 'LOCALACCESSKEY',
    AWS_SECRET_ACCESS_KEY: 'local-secret-key',
    AWS_SESSION_TOKEN: 'local-session-token',
    AWS_REGION: place.region,
    AWS_DEFAULT_REGION: place.region,
    AWS_EXECUTION_ENV: `AWS_Lambda_${definition.runtime}`,
    AWS_LAMBDA_FUNCTION_NAME: definition.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memoryMegabytes),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${definition.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
    LAMBDA_TASK_ROOT: definition.codeDirectory,
    _HANDLER: definition.handler,
  };
}
