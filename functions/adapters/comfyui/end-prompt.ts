/**
 * Ends one prompt and no other. ComfyUI from 0.26 on cancels a job by its id in one step; before that a prompt is
 * deleted from the queue by its id, and /interrupt stops whatever runs in some releases, named or not: it is sent only
 * when /queue says that just this prompt runs.
 * Source: https://docs.comfy.org/development/comfyui-server/comms_routes
 */
import * as z from 'zod';
import { readComfyUiJson, type Queue } from '../../../shared-types/index.ts';
import type { ComfyUi } from '../../core/ports.ts';
import { readText, send, type HttpOptions } from './http-request.ts';

type ReadQueue = (endpoint: string) => Promise<Queue | undefined>;

/** The status of the answer; its body decides nothing. @throws WorkerHttpError */
const post = async (url: string, body: unknown, options: HttpOptions): Promise<number> => {
  const response = await send(url, JSON.stringify(body), options);
  response.destroy();
  return response.statusCode ?? 0;
};

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

const MAX_ANSWER_BYTES = 64 * 1024;

const cancelledSchema = z.looseObject({ cancelled: z.boolean() });

/** True when ComfyUI says that it cancelled the job. @throws WorkerHttpError */
const cancelJob = async (endpoint: string, promptId: string, options: HttpOptions): Promise<boolean> => {
  const url = `${endpoint}/api/jobs/${encodeURIComponent(promptId)}/cancel`;
  const response = await send(url, '{}', options);
  if (!isSuccess(response.statusCode ?? 0)) {
    response.destroy();
    return false;
  }
  const reading = readComfyUiJson(await readText(response, MAX_ANSWER_BYTES, options));
  const read = cancelledSchema.safeParse(reading.kind === 'ok' ? reading.value : undefined);
  return read.success && read.data.cancelled;
};

const runsAlone = ({ running }: Queue, promptId: string): boolean =>
  running.length === 1 && running[0]?.promptId === promptId;

/** Deleted first and looked at then: what was pending a moment ago may have begun to run. */
const endById = async (
  endpoint: string,
  promptId: string,
  readQueue: ReadQueue,
  options: HttpOptions,
): Promise<'asked' | 'unreachable'> => {
  if (!isSuccess(await post(`${endpoint}/queue`, { delete: [promptId] }, options))) return 'unreachable';
  const queue = await readQueue(endpoint);
  if (queue === undefined) return 'unreachable';
  if (!runsAlone(queue, promptId)) return 'asked';
  const status = await post(`${endpoint}/interrupt`, { prompt_id: promptId }, options);
  return isSuccess(status) ? 'asked' : 'unreachable';
};

export const createEndPrompt =
  (readQueue: ReadQueue, options: HttpOptions): ComfyUi['endPrompt'] =>
  async (endpoint, promptId) => {
    try {
      if (await cancelJob(endpoint, promptId, options)) return 'asked';
      // A release without this route (404), or a prompt that it has not, or would not cancel: this does no harm then.
      return await endById(endpoint, promptId, readQueue, options);
    } catch {
      return 'unreachable';
    }
  };
