import * as z from 'zod';
import type { ResourceRequest } from '../contract.ts';
import type { AsyncConfig } from './async-delivery.ts';
import { assertDestination, defaultAsyncConfig } from './async-delivery.ts';
import { parseProperties } from './function-definition.ts';

const destination = z.object({ Destination: z.string() }).optional();
const propertiesSchema = z.object({
  FunctionName: z.string(),
  MaximumRetryAttempts: z.coerce
    .number()
    .int()
    .min(0)
    .max(2)
    .default(defaultAsyncConfig.maximumRetryAttempts),
  MaximumEventAgeInSeconds: z.coerce
    .number()
    .int()
    .min(60)
    .max(21_600)
    .default(defaultAsyncConfig.maximumEventAgeSeconds),
  DestinationConfig: z.object({ OnFailure: destination, OnSuccess: destination }).default({}),
});

/** Reads `AWS::Lambda::EventInvokeConfig`. It holds for the whole function, whatever its `Qualifier`. */
export function parseAsyncConfig(request: ResourceRequest): { functionName: string; config: AsyncConfig } {
  const properties = parseProperties(propertiesSchema, request);
  const onFailure = properties.DestinationConfig.OnFailure?.Destination;
  const onSuccess = properties.DestinationConfig.OnSuccess?.Destination;
  const where = `${request.stackName}/${request.logicalId} (${request.type}): DestinationConfig`;
  for (const arn of [onFailure, onSuccess]) if (arn !== undefined) assertDestination(arn, where);
  const config = {
    maximumRetryAttempts: properties.MaximumRetryAttempts,
    maximumEventAgeSeconds: properties.MaximumEventAgeInSeconds,
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(onSuccess === undefined ? {} : { onSuccess }),
  };
  return { functionName: properties.FunctionName, config };
}
