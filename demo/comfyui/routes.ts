/** Which handler answers which path. Every path also exists under `/api`. */
import { HttpError } from './errors.ts';
import { demoRoute } from './demo-routes.ts';
import type { PodRequest, Reply } from './http-exchange.ts';
import { emptyReply, jsonReply, textReply } from './http-exchange.ts';
import { objectInfo, systemStats } from './info-routes.ts';
import type { Pod } from './pod.ts';
import { getHistory, getPrompt, postHistory, postInterrupt, postPrompt, postQueue } from './prompt-routes.ts';
import { FEATURES } from './socket-hub.ts';
import { uploadImage } from './upload-route.ts';
import { viewFile } from './view-route.ts';

export interface PodAddress {
  readonly host: string;
  readonly port: number;
  readonly version: string;
}

type Handler = (pod: Pod, request: PodRequest, address: PodAddress) => Reply | Promise<Reply>;

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['POST /prompt', postPrompt],
  ['GET /prompt', getPrompt],
  ['GET /queue', (pod) => jsonReply(pod.queue.snapshot())],
  ['POST /queue', postQueue],
  ['POST /interrupt', postInterrupt],
  ['GET /history', getHistory],
  ['POST /history', postHistory],
  ['GET /view', (pod, request) => viewFile(pod.options.folders, request)],
  ['POST /upload/image', (pod, request) => uploadImage(pod.options.folders, request)],
  ['GET /system_stats', (_pod, _request, at) => jsonReply(systemStats(at.version, at.host, at.port))],
  ['GET /object_info', async (pod) => jsonReply(await objectInfo(pod))],
  ['GET /features', () => jsonReply(FEATURES)],
  ['GET /users', () => jsonReply({ storage: 'server', migrated: true })],
  ['GET /embeddings', () => jsonReply([])],
  ['GET /models/checkpoints', (pod) => jsonReply(checkpointNames(pod))],
  ['POST /free', () => emptyReply()],
]);

const KNOWN_PATHS = new Set([...HANDLERS.keys()].map((key) => key.split(' ')[1]));

/** Answers any request; what goes wrong becomes a status, never an exception. */
export async function answer(pod: Pod, request: PodRequest, address: PodAddress): Promise<Reply> {
  try {
    return await route(pod, request, address);
  } catch (error) {
    if (error instanceof HttpError) return failureReply(error.status);
    pod.options.log('requestFailed', { path: request.path, message: String(error) });
    return failureReply(500);
  }
}

async function route(pod: Pod, request: PodRequest, address: PodAddress): Promise<Reply> {
  if (request.path.startsWith('/demo/')) return demoRoute(pod, request);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const handler = HANDLERS.get(`${method} ${request.path}`);
  if (handler) return handler(pod, request, address);
  if (KNOWN_PATHS.has(request.path)) return textReply(405, '405: Method Not Allowed');
  const [, collection, item, ...more] = request.path.split('/');
  if (method !== 'GET' || item === undefined || more.length > 0) return failureReply(404);
  if (collection === 'history') return jsonReply(pod.queue.history(decodeItem(item)));
  if (collection === 'object_info') return jsonReply(await objectInfo(pod, decodeItem(item)));
  return failureReply(404);
}

function decodeItem(item: string): string {
  try {
    return decodeURIComponent(item);
  } catch {
    throw new HttpError(400);
  }
}

function checkpointNames(pod: Pod): unknown {
  const spec = pod.catalogue
    .get('CheckpointLoaderSimple')
    ?.inputs.find((input) => input.name === 'ckpt_name');
  return spec?.options ?? [];
}

function failureReply(status: number): Reply {
  if (status === 500) return textReply(500, '500 Internal Server Error\n\nServer got itself in trouble');
  if (status === 404) return textReply(404, '404: Not Found');
  return textReply(status, String(status));
}
