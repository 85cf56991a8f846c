/** Hands a picture while sampling to the control plane: a Lambda that is invoked directly, past the bus. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { previewAnswerSchema } from '../../shared-types/index.ts';
import { MonitorError } from '../monitor-error.ts';
import type { CallPreviewFunction } from './preview-sender.ts';

export interface PreviewFunctionOptions {
  /** Name or ARN. */
  readonly functionName: string;
  readonly region: string;
  /** Milliseconds for one call; 5 s by default. */
  readonly timeoutMs?: number;
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/**
 * Rejects with the SDK's error, or with MonitorError `previewRefused` when the function failed or answered otherwise
 * than it should. Nothing is tried again: the next picture is a better one.
 * (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html: `RequestResponse`, `FunctionError`.)
 */
export const createPreviewFunction = ({
  functionName,
  region,
  timeoutMs = 5000,
}: PreviewFunctionOptions): CallPreviewFunction => {
  const client = new LambdaClient({
    region,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 2000, requestTimeout: timeoutMs, throwOnRequestTimeout: true },
  });
  return async (request, signal) => {
    const command = new InvokeCommand({
      FunctionName: functionName,
      InvocationType: 'RequestResponse',
      Payload: JSON.stringify(request),
    });
    const { FunctionError: failed, Payload: payload } = await client.send(command, { abortSignal: signal });
    const answer = previewAnswerSchema.safeParse(parsed(payload?.transformToString() ?? ''));
    if (failed === undefined && answer.success) return answer.data.watchers;
    throw new MonitorError('previewRefused', failed ?? 'an answer without watchers', { retryable: true });
  };
};
