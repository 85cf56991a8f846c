/** Several ComfyUIs at their endpoints, as far as a dispatcher sees them; each answers as it was told. */
import { buffer } from 'node:stream/consumers';
import type { HistoryEntry } from '../../../shared-types/index.ts';
import type { ComfyUi, PromptLookup } from '../ports.ts';

/**
 * `unknownQueued`: it queued the prompt, and its answer was lost. `unknownLost`: neither happened.
 * `serverError`: HTTP 500, and it was not queued. `unreachable`: the connection was refused.
 */
export type SubmitScript =
  'accept' | 'reject' | 'unknownQueued' | 'unknownLost' | 'serverError' | 'unreachable';

export interface Submitted {
  readonly endpoint: string;
  readonly promptId: string;
  readonly clientId: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly body: string;
}

export interface ScriptedComfyUi extends ComfyUi {
  /** What was queued, in order. */
  readonly queued: readonly Submitted[];
  /** Every POST, whatever became of it. */
  readonly posted: readonly Submitted[];
  /** The next submissions, at any endpoint, end so; after them, all are accepted. */
  script(...outcomes: SubmitScript[]): void;
  /** Endpoints that answer nothing. */
  readonly down: Set<string>;
  /** What the endpoint has not finished, oldest first. */
  live(endpoint: string): readonly Submitted[];
  finish(promptId: string): void;
  /** The endpoint restarts: its queue is empty. */
  restart(endpoint: string): void;
  /** Every prompt that somebody asked to be ended, in order. */
  readonly ended: readonly string[];
  /** Endpoints whose running prompt ignores interrupts. */
  readonly stuck: Set<string>;
  /** Those that were interrupted while they ran, in order: their monitor will tell of it. */
  readonly interrupted: readonly string[];
  readonly uploads: readonly Uploaded[];
  /** The next upload is answered so. */
  answerUpload(answer: Awaited<ReturnType<ComfyUi['uploadFile']>>): void;
  /** What /object_info answers. */
  objectInfoText: string | undefined;
}

export interface Uploaded {
  readonly endpoint: string;
  readonly filename: string;
  readonly subfolder: string;
  readonly content: string;
}

const entryOf = (interrupted: boolean): HistoryEntry => ({
  outputs: {},
  status: {
    status_str: interrupted ? 'error' : 'success',
    completed: !interrupted,
    messages: [[interrupted ? 'execution_interrupted' : 'execution_success', {}]],
  },
});

interface PromptBody {
  readonly prompt_id: string;
  readonly client_id: string;
  readonly extra_data: { readonly jobId: string; readonly attempt: number };
}

const readBody = (endpoint: string, body: string): Submitted => {
  const { prompt_id: promptId, client_id: clientId, extra_data: extra } = JSON.parse(body) as PromptBody;
  return { endpoint, promptId, clientId, jobId: extra.jobId, attempt: extra.attempt, body };
};

export const createScriptedComfyUi = (): ScriptedComfyUi => {
  const posted: Submitted[] = [];
  const queued: Submitted[] = [];
  const finished = new Set<string>();
  const forgotten = new Set<string>();
  const down = new Set<string>();
  const outcomes: SubmitScript[] = [];
  const ended: string[] = [];
  const interrupted: string[] = [];
  const stuck = new Set<string>();
  const uploads: Uploaded[] = [];
  const uploadAnswers: Awaited<ReturnType<ComfyUi['uploadFile']>>[] = [];
  const live = (endpoint: string): Submitted[] =>
    queued.filter(
      (prompt) =>
        prompt.endpoint === endpoint && !finished.has(prompt.promptId) && !forgotten.has(prompt.promptId),
    );
  const lookUp = (endpoint: string, promptId: string): PromptLookup => {
    if (down.has(endpoint)) return 'unreachable';
    if (finished.has(promptId)) return 'finished';
    const place = live(endpoint).findIndex((prompt) => prompt.promptId === promptId);
    if (place < 0) return 'absent';
    return place === 0 ? 'running' : 'pending';
  };
  const refused = { kind: 'unreachable', message: 'ECONNREFUSED' } as const;
  const fake: ScriptedComfyUi = {
    queued,
    posted,
    down,
    live,
    script: (...next) => void outcomes.push(...next),
    finish: (promptId) => void finished.add(promptId),
    restart: (endpoint) => {
      for (const { promptId } of live(endpoint)) forgotten.add(promptId);
    },
    submitPrompt: async (endpoint, body) => {
      const prompt = readBody(endpoint, body);
      posted.push(prompt);
      const outcome = down.has(endpoint) ? 'unreachable' : (outcomes.shift() ?? 'accept');
      if (outcome === 'accept' || outcome === 'unknownQueued') queued.push(prompt);
      switch (outcome) {
        case 'accept':
          return { kind: 'accepted', droppedNodes: [] };
        case 'reject':
          return { kind: 'rejected', message: 'Value not in list', nodeId: '4', nodeType: 'KSampler' };
        case 'unknownQueued':
        case 'unknownLost':
          return { kind: 'unknown', message: 'the answer was lost' };
        case 'serverError':
          return { kind: 'unknown', message: 'HTTP 500', httpStatus: 500 };
        case 'unreachable':
          return refused;
      }
    },
    findPrompt: async (endpoint, promptId) => lookUp(endpoint, promptId),
    history: async (endpoint, promptId) => {
      if (down.has(endpoint)) return refused;
      if (!finished.has(promptId)) return { kind: 'absent' };
      return { kind: 'found', entry: entryOf(interrupted.includes(promptId)) };
    },
    ended,
    interrupted,
    stuck,
    endPrompt: async (endpoint, promptId) => {
      if (down.has(endpoint)) return 'unreachable';
      ended.push(promptId);
      const place = lookUp(endpoint, promptId);
      if (place === 'pending') forgotten.add(promptId);
      if (place === 'running' && !stuck.has(endpoint)) {
        finished.add(promptId);
        interrupted.push(promptId);
      }
      return 'asked';
    },
    uploads,
    answerUpload: (answer) => void uploadAnswers.push(answer),
    uploadFile: async (endpoint, { body, filename, subfolder }) => {
      const content = await buffer(body).catch(() => undefined);
      const answer = uploadAnswers.shift();
      if (answer !== undefined) return answer;
      if (down.has(endpoint) || content === undefined) return refused;
      uploads.push({ endpoint, filename, subfolder, content: content.toString() });
      return { kind: 'uploaded', name: `${subfolder}/${filename}` };
    },
    objectInfoText: undefined,
    objectInfo: async () =>
      fake.objectInfoText === undefined
        ? { kind: 'unavailable', message: 'HTTP 404' }
        : { kind: 'found', text: fake.objectInfoText },
    fetchFile: async () => ({ kind: 'missing', message: 'HTTP 404' }),
  };
  return fake;
};
