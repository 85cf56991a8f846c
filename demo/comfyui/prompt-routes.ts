/** POST /prompt and the routes around queue and history. */
import { randomUUID } from 'node:crypto';
import { HttpError } from './errors.ts';
import type { PodRequest, Reply } from './http-exchange.ts';
import { emptyReply, jsonReply, readJsonObject } from './http-exchange.ts';
import type { Pod } from './pod.ts';
import { problem, validatePrompt } from './prompt-validation.ts';
import type { JsonObject } from './python-json.ts';
import { isJsonObject, isNumeric, pyFloat, pythonRepr, toDouble } from './python-json.ts';

export async function postPrompt(pod: Pod, request: PodRequest): Promise<Reply> {
  const rejection = pod.failures.takeRejection();
  if (rejection !== undefined) return emptyReply(rejection);
  const failure = pod.failures.takeRequest();
  if (failure === 'http-503') return emptyReply(503);
  const reply = await submit(pod, await readJsonObject(request));
  if (failure === 'http-500-but-queued') throw new HttpError(500);
  return reply;
}

async function submit(pod: Pod, body: JsonObject): Promise<Reply> {
  const number = readNumber(pod, body);
  if (!Object.hasOwn(body, 'prompt')) {
    return refusal(problem('no_prompt', 'No prompt provided', 'No prompt provided'), {});
  }
  const prompt = body['prompt'];
  if (!isJsonObject(prompt)) throw new HttpError(500);
  const extraData = readExtraData(body);
  const promptId = readPromptId(body);
  const checked = await validatePrompt(prompt, pod.catalogue, pod.options.folders, readTargets(body));
  if (checked.error) return refusal(checked.error, checked.nodeErrors);
  const item = { number, promptId, prompt, extraData, outputs: checked.outputs };
  // The same number and id twice: the reply is an error, and yet both are queued.
  if (pod.enqueue(item).duplicate) throw new HttpError(500);
  return jsonReply({ prompt_id: promptId, number, node_errors: checked.nodeErrors });
}

function refusal(error: unknown, nodeErrors: JsonObject): Reply {
  return jsonReply({ error, node_errors: nodeErrors }, 400);
}

/** The caller's own number, or the next one of the pod, negated to go first. */
function readNumber(pod: Pod, body: JsonObject): unknown {
  if (Object.hasOwn(body, 'number')) {
    const value = body['number'];
    const double = typeof value === 'string' ? Number(value) : toDouble(value);
    if (Number.isNaN(double)) throw new HttpError(500);
    return pyFloat(double);
  }
  const next = pod.queue.nextNumber();
  return body['front'] === true ? -next : next;
}

function readPromptId(body: JsonObject): string {
  if (!Object.hasOwn(body, 'prompt_id')) return randomUUID();
  const value = body['prompt_id'];
  return typeof value === 'string' ? value : pythonRepr(value);
}

function readExtraData(body: JsonObject): JsonObject {
  const given = Object.hasOwn(body, 'extra_data') ? body['extra_data'] : {};
  if (!isJsonObject(given)) throw new HttpError(500);
  return Object.hasOwn(body, 'client_id') ? { ...given, client_id: body['client_id'] } : given;
}

function readTargets(body: JsonObject): ReadonlySet<string> | null {
  const targets = body['partial_execution_targets'];
  if (!Array.isArray(targets)) return null;
  return new Set(targets.filter((target) => typeof target === 'string'));
}

export function getPrompt(pod: Pod): Reply {
  return jsonReply({ exec_info: { queue_remaining: pod.queue.remaining } });
}

export async function postQueue(pod: Pod, request: PodRequest): Promise<Reply> {
  const body = await readJsonObject(request);
  if (isTrue(body['clear'])) {
    pod.queue.clear();
    pod.hub.broadcastStatus();
  }
  if (pod.queue.delete(readIds(body['delete'])) > 0) pod.hub.broadcastStatus();
  return emptyReply();
}

/** Without a body, or without an id, whatever runs is stopped, whoever it belongs to. */
export async function postInterrupt(pod: Pod, request: PodRequest): Promise<Reply> {
  const bytes = await request.body();
  const body = bytes.length > 0 ? await readJsonObject({ ...request, body: async () => bytes }) : {};
  const id = body['prompt_id'];
  const named = id !== undefined && id !== null && id !== '';
  if (!named || (typeof id === 'string' && pod.queue.isRunning(id))) pod.interruptRun();
  return emptyReply();
}

export function getHistory(pod: Pod, request: PodRequest): Reply {
  const max = readCount(request.query.get('max_items'));
  const offset = readCount(request.query.get('offset')) ?? -1;
  const all = [...pod.queue.history()];
  const count = max ?? all.length;
  const from = offset < 0 ? Math.max(0, all.length - count) : offset;
  return jsonReply(new Map(all.slice(from, from + count)));
}

function readCount(text: string | null): number | null {
  if (text === null) return null;
  if (!/^-?\d+$/.test(text)) throw new HttpError(500);
  return Number(text);
}

export async function postHistory(pod: Pod, request: PodRequest): Promise<Reply> {
  const body = await readJsonObject(request);
  if (isTrue(body['clear'])) pod.queue.forgetAll();
  pod.queue.forget(readIds(body['delete']));
  return emptyReply();
}

function readIds(value: unknown): ReadonlySet<string> {
  return new Set(Array.isArray(value) ? value.filter((id) => typeof id === 'string') : []);
}

function isTrue(value: unknown): boolean {
  return value === true || (isNumeric(value) && toDouble(value) !== 0);
}
