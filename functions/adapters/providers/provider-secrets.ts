/** Keys of the providers: one secret of Secrets Manager, a JSON object of texts. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import { PipelineError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';

export type ProviderSecrets = () => Promise<Readonly<Record<string, string>>>;

/** A key that was changed is used within this time. */
const KEEP_MS = 5 * 60_000;

const secretSchema = z.record(z.string(), z.string());

const invalid = (message: string, retryable: boolean, cause?: unknown): PipelineError =>
  new PipelineError('provider-secret.unreadable', message, { retryable, cause });

/** What is wrong is told without a word of the secret. */
const parseSecret = (text: string | undefined): Readonly<Record<string, string>> => {
  try {
    return secretSchema.parse(JSON.parse(text ?? ''));
  } catch {
    throw invalid('the provider secret must be a JSON object whose values are texts', false);
  }
};

/**
 * Reads the secret when it is first asked for, and anew after five minutes. Endpoint, region and credentials come from
 * the standard AWS variables
 * (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html).
 * @param secretArn empty when there is none: every read rejects
 * @returns rejects with PipelineError `provider-secret.unreadable`
 */
export const createProviderSecrets = ({
  secretArn,
  clock,
}: {
  readonly secretArn: string;
  readonly clock: Pick<Clock, 'now'>;
}): ProviderSecrets => {
  let client: SecretsManagerClient | undefined;
  let kept: { readonly at: number; readonly value: Readonly<Record<string, string>> } | undefined;
  const read = async (): Promise<Readonly<Record<string, string>>> => {
    client ??= new SecretsManagerClient({
      maxAttempts: 3,
      requestHandler: { connectionTimeout: 1000, requestTimeout: 5000, throwOnRequestTimeout: true },
    });
    try {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
      return parseSecret(SecretString);
    } catch (error) {
      if (error instanceof PipelineError) throw error;
      throw invalid('the provider secret could not be read', true, error);
    }
  };
  return async () => {
    if (secretArn === '') throw invalid('PROVIDER_SECRET_ARN is not set', false);
    if (kept !== undefined && clock.now() - kept.at < KEEP_MS) return kept.value;
    kept = { value: await read(), at: clock.now() };
    return kept.value;
  };
};
