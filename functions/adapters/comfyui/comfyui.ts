/** ComfyUI's REST API (docs.comfy.org/development/comfyui-server/comms_routes), as far as the control plane calls it. */
import type { IncomingMessage } from 'node:http';
import {
  historyEntryOf,
  promptAcceptedSchema,
  queueSchema,
  readComfyUiJson,
  type OutputFile,
  type Queue,
} from '../../../shared-types/index.ts';
import type {
  Clock,
  ComfyUi,
  FileFetch,
  HistoryLookup,
  PromptLookup,
  PromptSubmission,
} from '../../core/ports.ts';
import type { AddressPolicy } from '../../core/worker-address.ts';
import { boundedBody, tooLargeMessage, type FileLimits } from './bounded-body.ts';
import { readText, send, WorkerHttpError, type HttpOptions } from './http-request.ts';
import { createEndPrompt } from './end-prompt.ts';
import { getJson, getText, reasonOf } from './get-json.ts';
import { readRejection } from './prompt-rejection.ts';
import { createUploadFile } from './upload-file.ts';

export interface ComfyUiOptions {
  readonly addressPolicy: AddressPolicy;
  readonly clock: Clock;
  /** Milliseconds for the head of an answer, and for a JSON body in all; 10 s by default. */
  readonly timeoutMs?: number;
  /** Of each file; 2 GiB and 10 minutes by default. */
  readonly fileLimits?: FileLimits;
  /** Milliseconds for one upload in all; two minutes by default. */
  readonly uploadTimeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const MIB = 1024 * 1024;
const MAX_HISTORY_BYTES = 32 * MIB;
const MAX_BODY_BYTES = 16 * MIB;
const MAX_OBJECT_INFO_BYTES = 32 * MIB;
/** A pod with many node packs takes a while to describe them all. */
const OBJECT_INFO_TIMEOUT_MS = 20_000;
const UPLOAD_TIMEOUT_MS = 120_000;
/** Below the 15 minutes of a Lambda, so that the other outputs of the job can still be stored. */
const FILE_LIMITS: FileLimits = { maxBytes: 2048 * MIB, deadlineMs: 10 * 60_000 };

/** About the way to ComfyUI, not about what was asked: a gateway that is not ready, closed, or busy. */
const NOT_THE_WORKFLOW = new Set([401, 403, 404, 405, 407, 408, 425, 429]);

/** After a 200 the prompt is in the queue, unless what answered is no ComfyUI. */
const readAcceptance = (body: string): PromptSubmission => {
  const reading = readComfyUiJson(body);
  const read = promptAcceptedSchema.safeParse(reading.kind === 'ok' ? reading.value : undefined);
  if (!read.success)
    return { kind: 'unknown', message: 'the worker answered HTTP 200 with what does not read' };
  return { kind: 'accepted', droppedNodes: Object.keys(read.data.node_errors) };
};

/** A 5xx is no refusal: ComfyUI was seen to answer 500 to a prompt that it had queued and then ran. */
const readSubmission = async (response: IncomingMessage, options: HttpOptions): Promise<PromptSubmission> => {
  const status = response.statusCode ?? 0;
  const isRefusal = status >= 400 && status < 500;
  if (status !== 200 && (!isRefusal || NOT_THE_WORKFLOW.has(status))) {
    response.destroy();
    const message = `the worker answered HTTP ${status}`;
    return isRefusal ? { kind: 'unreachable', message } : { kind: 'unknown', message, httpStatus: status };
  }
  if (status === 200) return readAcceptance(await readText(response, MAX_BODY_BYTES, options));
  return readRejection(status, await readText(response, MAX_BODY_BYTES, options).catch(() => ''));
};

const placeIn = (queue: Queue, promptId: string): 'running' | 'pending' | undefined => {
  if (queue.running.some((prompt) => prompt.promptId === promptId)) return 'running';
  return queue.pending.some((prompt) => prompt.promptId === promptId) ? 'pending' : undefined;
};

type Reads = Pick<ComfyUi, 'history'> & {
  readonly queue: (endpoint: string) => Promise<Queue | undefined>;
};

const findOnce = async (endpoint: string, promptId: string, reads: Reads): Promise<PromptLookup> => {
  const queue = await reads.queue(endpoint);
  if (queue === undefined) return 'unreachable';
  const place = placeIn(queue, promptId);
  if (place !== undefined) return place;
  const { kind } = await reads.history(endpoint, promptId);
  return kind === 'found' ? 'finished' : kind;
};

/** No `preview` and no `channel`: both make ComfyUI encode the picture anew. */
const viewUrl = (endpoint: string, { filename, subfolder, type }: OutputFile): string => {
  const query = new URLSearchParams({ filename, subfolder, type });
  return `${endpoint}/view?${query.toString().replaceAll('+', '%20')}`;
};

const lengthOf = (response: IncomingMessage): number | undefined => {
  const header = response.headers['content-length'];
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
};

/** About the way to ComfyUI for now: who may ask, how often, and a gateway that has no ComfyUI behind it. */
const isAboutTheWay = (status: number): boolean => status > 501 || [401, 407, 408, 425, 429].includes(status);

/**
 * What ComfyUI says of a file other than giving it. A 500 is a defect of this file; a gateway's 502 is not. What
 * stays the same however often it is asked (no content, a part, a redirect) fails this output, and not the job.
 */
const fileRefusal = (status: number): FileFetch => {
  const message = `the worker answered HTTP ${status}`;
  if (status === 404 || status === 410 || status === 500) return { kind: 'missing', message };
  return { kind: isAboutTheWay(status) ? 'unreachable' : 'unfetchable', message };
};

/** Why the head alone rules the file out, or undefined. */
const headRefusal = (response: IncomingMessage, { maxBytes }: FileLimits): FileFetch | undefined => {
  if (response.statusCode !== 200) return fileRefusal(response.statusCode ?? 0);
  if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') {
    return { kind: 'unfetchable', message: 'the worker answered a compressed file' };
  }
  if ((lengthOf(response) ?? 0) <= maxBytes) return undefined;
  return { kind: 'unfetchable', message: tooLargeMessage(maxBytes) };
};

const readFile = (response: IncomingMessage, limits: FileLimits, clock: Clock): FileFetch => {
  const refusal = headRefusal(response, limits);
  if (refusal !== undefined) {
    response.destroy();
    return refusal;
  }
  const body = boundedBody(response, limits, clock);
  return { kind: 'found', body, length: lengthOf(response), etag: response.headers.etag };
};

/**
 * ComfyUI over HTTP. Every call answers with a union and rejects for defects only. Names are resolved and each
 * address is checked against the policy for every connection.
 */
export const createComfyUi = ({
  addressPolicy,
  clock,
  timeoutMs = DEFAULT_TIMEOUT_MS,
  fileLimits = FILE_LIMITS,
  uploadTimeoutMs = UPLOAD_TIMEOUT_MS,
}: ComfyUiOptions): ComfyUi => {
  const options: HttpOptions = { addressPolicy, clock, timeoutMs };

  const history = async (endpoint: string, promptId: string): Promise<HistoryLookup> => {
    const url = `${endpoint}/history/${encodeURIComponent(promptId)}`;
    const answer = await getJson(url, MAX_HISTORY_BYTES, options);
    if (answer.kind === 'failed') return { kind: 'unreachable', message: answer.message };
    const entry = historyEntryOf(answer.value, promptId);
    return entry === undefined ? { kind: 'absent' } : { kind: 'found', entry };
  };

  const queue = async (endpoint: string): Promise<Queue | undefined> => {
    const answer = await getJson(`${endpoint}/queue`, MAX_BODY_BYTES, options);
    return answer.kind === 'ok' ? queueSchema.safeParse(answer.value).data : undefined;
  };

  return {
    submitPrompt: async (endpoint, body) => {
      try {
        return await readSubmission(await send(`${endpoint}/prompt`, body, options), options);
      } catch (error) {
        const sent = error instanceof WorkerHttpError ? error.sent : true;
        return { kind: sent ? 'unknown' : 'unreachable', message: reasonOf(error) };
      }
    },
    // Twice: a prompt that is queued or finishes between two reads must not look absent.
    findPrompt: async (endpoint, promptId) => {
      const first = await findOnce(endpoint, promptId, { history, queue });
      return first === 'absent' ? findOnce(endpoint, promptId, { history, queue }) : first;
    },
    history,
    endPrompt: createEndPrompt(queue, options),
    uploadFile: createUploadFile({ ...options, timeoutMs: uploadTimeoutMs }),
    objectInfo: async (endpoint) => {
      const slowly = { ...options, timeoutMs: Math.max(timeoutMs, OBJECT_INFO_TIMEOUT_MS) };
      const answer = await getText(`${endpoint}/object_info`, MAX_OBJECT_INFO_BYTES, slowly);
      return answer.kind === 'ok'
        ? { kind: 'found', text: answer.text }
        : { kind: 'unavailable', message: answer.message };
    },
    fetchFile: async (endpoint, file) => {
      try {
        return readFile(await send(viewUrl(endpoint, file), undefined, options), fileLimits, clock);
      } catch (error) {
        return { kind: 'unreachable', message: reasonOf(error) };
      }
    },
  };
};
