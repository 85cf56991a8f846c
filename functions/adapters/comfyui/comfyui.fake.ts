/** A ComfyUI in memory: it keeps prompts, histories and files, and fails when it is told to. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { HistoryEntry, OutputFile } from '../../../shared-types/index.ts';
import type { ComfyUi, FileFetch, HistoryLookup, PromptLookup, PromptSubmission } from '../../core/ports.ts';

export interface FakeFile {
  readonly content: Buffer;
  readonly etag: string | undefined;
  /** What Content-Length says; the content's own length unless told otherwise, undefined for none. */
  readonly length: number | undefined;
  /** The body breaks after this many bytes. */
  readonly breaksAfter?: number;
}

type FileName = Pick<OutputFile, 'filename'> & Partial<Pick<OutputFile, 'subfolder' | 'type'>>;

interface Answers {
  readonly submitPrompt: PromptSubmission;
  readonly findPrompt: PromptLookup;
  readonly history: HistoryLookup;
  readonly fetchFile: FileFetch;
  readonly endPrompt: Awaited<ReturnType<ComfyUi['endPrompt']>>;
  readonly uploadFile: Awaited<ReturnType<ComfyUi['uploadFile']>>;
  readonly objectInfo: Awaited<ReturnType<ComfyUi['objectInfo']>>;
}

export interface FakeUpload {
  readonly name: string;
  readonly content: Buffer;
}

export interface FakeComfyUi extends ComfyUi {
  /** Every accepted or attempted submission. */
  readonly submitted: readonly {
    readonly endpoint: string;
    readonly promptId: string;
    readonly body: string;
  }[];
  /** Every call, in order: `history prompt-1`, `fetchFile a.png`. */
  readonly calls: readonly string[];
  /** The next `count` calls of this kind answer so, and change nothing. */
  answerNext<C extends keyof Answers>(call: C, answer: Answers[C], count?: number): void;
  /** ComfyUI has the prompt in its queue. */
  setPlace(promptId: string, place: 'running' | 'pending'): void;
  /** The prompt leaves the queue and enters the history. */
  finish(promptId: string, entry?: Partial<HistoryEntry>): void;
  /** A restart: queue and history are empty, files stay. */
  forget(): void;
  putFile(name: FileName, content: Buffer | string, file?: Partial<Omit<FakeFile, 'content'>>): void;
  deleteFile(name: FileName): void;
  /** While set, every call answers that the worker cannot be reached. */
  setReachable(reachable: boolean): void;
  /** What was uploaded, under the names that were answered. */
  readonly uploads: readonly FakeUpload[];
  /** What /object_info says; unavailable until it is set. */
  setObjectInfo(text: string): void;
}

const fileKey = ({ filename, subfolder = '', type = 'output' }: FileName): string =>
  JSON.stringify([type, subfolder, filename]);

const promptIdOf = (body: string): string => {
  const parsed: unknown = JSON.parse(body);
  const id = typeof parsed === 'object' && parsed !== null && 'prompt_id' in parsed ? parsed.prompt_id : '';
  return String(id);
};

const successEntry = (promptId: string): HistoryEntry => ({
  outputs: {},
  status: {
    status_str: 'success',
    completed: true,
    messages: [['execution_success', { prompt_id: promptId, timestamp: 0 }]],
  },
});

const interruptedEntry = (promptId: string): HistoryEntry => ({
  outputs: {},
  status: {
    status_str: 'error',
    completed: false,
    messages: [['execution_interrupted', { prompt_id: promptId, timestamp: 0 }]],
  },
});

const bodyOf = ({ content, breaksAfter }: FakeFile): Readable => {
  if (breaksAfter === undefined) return Readable.from(content.length === 0 ? [] : [content]);
  return Readable.from(
    (function* broken() {
      yield content.subarray(0, breaksAfter);
      throw new Error('the connection was reset');
    })(),
  );
};

export const createFakeComfyUi = (): FakeComfyUi => {
  const submitted: { endpoint: string; promptId: string; body: string }[] = [];
  const calls: string[] = [];
  const places = new Map<string, 'running' | 'pending'>();
  const histories = new Map<string, HistoryEntry>();
  const files = new Map<string, FakeFile>();
  const scripted: { [C in keyof Answers]: Answers[C][] } = {
    submitPrompt: [],
    findPrompt: [],
    history: [],
    fetchFile: [],
    endPrompt: [],
    uploadFile: [],
    objectInfo: [],
  };
  const uploads: FakeUpload[] = [];
  let objectInfoText: string | undefined;
  let reachable = true;
  const unreachable = { kind: 'unreachable', message: 'the worker does not answer (ECONNREFUSED)' } as const;

  return {
    submitted,
    calls,
    answerNext: (call, answer, count = 1) => {
      for (let index = 0; index < count; index += 1) scripted[call].push(answer);
    },
    setPlace: (promptId, place) => void places.set(promptId, place),
    finish: (promptId, entry = {}) => {
      places.delete(promptId);
      histories.set(promptId, { ...successEntry(promptId), ...entry });
    },
    forget: () => {
      places.clear();
      histories.clear();
    },
    putFile: (name, content, file = {}) => {
      const bytes = Buffer.from(content);
      files.set(fileKey(name), { content: bytes, etag: `"${bytes.length}"`, length: bytes.length, ...file });
    },
    deleteFile: (name) => void files.delete(fileKey(name)),
    setReachable: (value) => {
      reachable = value;
    },
    uploads,
    setObjectInfo: (text) => {
      objectInfoText = text;
    },

    submitPrompt: async (endpoint, body) => {
      const promptId = promptIdOf(body);
      calls.push(`submitPrompt ${promptId}`);
      submitted.push({ endpoint, promptId, body });
      const answer = scripted.submitPrompt.shift();
      if (answer !== undefined) return answer;
      if (!reachable) return unreachable;
      places.set(promptId, places.size === 0 ? 'running' : 'pending');
      return { kind: 'accepted', droppedNodes: [] };
    },
    findPrompt: async (_endpoint, promptId) => {
      calls.push(`findPrompt ${promptId}`);
      const answer = scripted.findPrompt.shift();
      if (answer !== undefined) return answer;
      if (!reachable) return 'unreachable';
      return places.get(promptId) ?? (histories.has(promptId) ? 'finished' : 'absent');
    },
    history: async (_endpoint, promptId) => {
      calls.push(`history ${promptId}`);
      const answer = scripted.history.shift();
      if (answer !== undefined) return answer;
      if (!reachable) return unreachable;
      const entry = histories.get(promptId);
      return entry === undefined ? { kind: 'absent' } : { kind: 'found', entry };
    },
    endPrompt: async (_endpoint, promptId) => {
      calls.push(`endPrompt ${promptId}`);
      const answer = scripted.endPrompt.shift();
      if (answer !== undefined) return answer;
      if (!reachable) return 'unreachable';
      const place = places.get(promptId);
      places.delete(promptId);
      if (place === 'running') histories.set(promptId, interruptedEntry(promptId));
      return 'asked';
    },
    uploadFile: async (_endpoint, { body, filename, subfolder }) => {
      calls.push(`uploadFile ${filename}`);
      const answer = scripted.uploadFile.shift();
      const content = await buffer(body).catch(() => undefined);
      if (answer !== undefined) return answer;
      if (!reachable || content === undefined) return unreachable;
      const name = subfolder === '' ? filename : `${subfolder}/${filename}`;
      uploads.push({ name, content });
      return { kind: 'uploaded', name };
    },
    objectInfo: async () => {
      calls.push('objectInfo');
      const answer = scripted.objectInfo.shift();
      if (answer !== undefined) return answer;
      if (!reachable || objectInfoText === undefined)
        return { kind: 'unavailable', message: unreachable.message };
      return { kind: 'found', text: objectInfoText };
    },
    fetchFile: async (_endpoint, file) => {
      calls.push(`fetchFile ${file.filename}`);
      const answer = scripted.fetchFile.shift();
      if (answer !== undefined) return answer;
      if (!reachable) return unreachable;
      if (/^\/|\.\./.test(file.filename)) return { kind: 'unfetchable', message: 'HTTP 400' };
      const found = files.get(fileKey(file));
      if (found === undefined) return { kind: 'missing', message: 'HTTP 404' };
      return { kind: 'found', body: bodyOf(found), length: found.length, etag: found.etag };
    },
  };
};
