import type { InvokeResult } from '../contract.ts';
import type { GatewayContext } from './api-model.ts';

export type InvokeOutcome = InvokeResult | { readonly kind: 'timedOut' } | { readonly kind: 'unavailable' };

/** Calls a function and stops waiting after `timeoutMs`, as API Gateway does; the function itself runs on. */
export async function invokeWithin(
  context: GatewayContext,
  functionArn: string,
  payload: string,
  timeoutMs: number,
): Promise<InvokeOutcome> {
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<InvokeOutcome>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'timedOut' }), timeoutMs);
    // A function that never answers must not hold the process open after shutdown.
    timer.unref();
  });
  try {
    return await Promise.race([invokeSafely(context, functionArn, payload), timedOut]);
  } finally {
    clearTimeout(timer);
  }
}

async function invokeSafely(
  context: GatewayContext,
  functionArn: string,
  payload: string,
): Promise<InvokeOutcome> {
  try {
    return await context.invoker.invoke(functionArn, payload);
  } catch (error) {
    // The invoker rejects only when the template names a function that does not exist.
    context.log('apigateway.function_unavailable', { functionArn, error: String(error) });
    return { kind: 'unavailable' };
  }
}

/** `undefined` when the text is not JSON: a function's answer, a client's message. */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
