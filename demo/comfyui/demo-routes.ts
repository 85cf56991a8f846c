/** `/demo/…`: how another process tells the pod to fail. The real thing has none of this. */
import * as z from 'zod';
import type { PodRequest, Reply } from './http-exchange.ts';
import { emptyReply, jsonReply } from './http-exchange.ts';
import { isRequestFailure, isRunFailure, REQUEST_FAILURES, RUN_FAILURES } from './failure-plan.ts';
import type { Pod } from './pod.ts';
import type { JsonObject } from './python-json.ts';

const failNextSchema = z.object({
  kind: z.enum([...RUN_FAILURES, ...REQUEST_FAILURES]),
  afterSteps: z.number().int().min(1).optional(),
  restartAfterMs: z.number().min(0).optional(),
});
const crashSchema = z.object({ restartAfterMs: z.number().min(0).optional() });
const stallSchema = z.object({ on: z.boolean() });
const holdSchema = z.object({ afterSteps: z.number().int().min(0) });
const rejectSchema = z.object({ status: z.number().int().min(400).max(599) });

const DEFAULT_AFTER_STEPS = 2;

export async function demoRoute(pod: Pod, request: PodRequest): Promise<Reply> {
  if (request.method === 'GET' && request.path === '/demo/state') {
    return jsonReply(stateOf(pod));
  }
  if (request.method !== 'POST') return emptyReply(405);
  const body = await readPlainJson(request);
  switch (request.path) {
    case '/demo/fail-next':
      return parsed(failNextSchema, body, (value) => failNext(pod, value));
    case '/demo/reject-next':
      return parsed(rejectSchema, body, ({ status }) => pod.failures.reject(status));
    case '/demo/crash':
      return parsed(crashSchema, body, ({ restartAfterMs }) => {
        setImmediate(() => pod.options.onCrash(restartAfterMs));
      });
    case '/demo/stall':
      return parsed(stallSchema, body, ({ on }) => pod.hub.stall(on));
    case '/demo/hold':
      return parsed(holdSchema, body, ({ afterSteps }) => pod.options.hold.set(afterSteps));
    case '/demo/release':
      pod.options.hold.release();
      return jsonReply({ ok: true });
    case '/demo/drop-sockets':
      pod.hub.dropAll();
      return jsonReply({ ok: true });
    case '/demo/kill-worker':
      pod.killWorker();
      return jsonReply({ ok: true });
    default:
      return emptyReply(404);
  }
}

function stateOf(pod: Pod): JsonObject {
  return {
    open_sockets: pod.hub.openSockets,
    queue_remaining: pod.queue.remaining,
    held: pod.options.hold.isHolding,
  };
}

function failNext(pod: Pod, wish: z.infer<typeof failNextSchema>): void {
  if (isRequestFailure(wish.kind)) pod.failures.addRequest(wish.kind);
  if (!isRunFailure(wish.kind)) return;
  const { restartAfterMs } = wish;
  pod.failures.addRun({
    kind: wish.kind,
    afterSteps: wish.afterSteps ?? DEFAULT_AFTER_STEPS,
    ...(restartAfterMs === undefined ? {} : { restartAfterMs }),
  });
}

function parsed<T>(schema: z.ZodType<T>, body: unknown, act: (value: T) => void): Reply {
  const result = schema.safeParse(body);
  if (!result.success) return jsonReply({ error: z.prettifyError(result.error) }, 400);
  act(result.data);
  return jsonReply({ ok: true });
}

async function readPlainJson(request: PodRequest): Promise<unknown> {
  const bytes = await request.body();
  try {
    return bytes.length === 0 ? {} : (JSON.parse(bytes.toString('utf8')) as unknown);
  } catch {
    return null;
  }
}
