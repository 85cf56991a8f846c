/** What a demo pod itself knows: its queue, its history, and the levers that hold it or make it fail. */
import { waitUntil } from './wait.ts';

/** One entry of a queue, as ComfyUI shows it. */
export interface QueuedPrompt {
  readonly promptId: string;
  readonly jobId: string;
  readonly attempt: number;
}

/** One prompt that ComfyUI executed, by its own record. */
export interface Run extends QueuedPrompt {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  /** ComfyUI's last word: `execution_success`, `execution_error` or `execution_interrupted`. */
  readonly end: string;
}

type Tuple = readonly [
  number: unknown,
  promptId: string,
  prompt: unknown,
  extraData: Record<string, unknown>,
];
interface HistoryEntry {
  readonly prompt: Tuple;
  readonly status: {
    readonly messages: readonly (readonly [name: string, data: { readonly timestamp: number }])[];
  };
}

export interface PodControl {
  readonly url: string;
  /** Each job stops after so many steps, 0: before its first. */
  hold(afterSteps: number): Promise<void>;
  release(): Promise<void>;
  /** Waits until a job stands at the hold. */
  untilHeld(): Promise<void>;
  /** The next POST /prompt is answered with this status. */
  rejectNext(status: number): Promise<void>;
  failNext(kind: string, rest?: Readonly<Record<string, unknown>>): Promise<void>;
  queue(): Promise<{ readonly running: readonly QueuedPrompt[]; readonly pending: readonly QueuedPrompt[] }>;
  /** Oldest first. */
  runs(): Promise<readonly Run[]>;
  /** The workflow that ComfyUI was given under this id, executed or not. */
  workflowOf(promptId: string): Promise<Record<string, { inputs: Record<string, unknown> }>>;
}

const identityOf = ([, promptId, , extraData]: Tuple): QueuedPrompt => ({
  promptId,
  jobId: String(extraData['jobId']),
  attempt: Number(extraData['attempt']),
});

const runOf = ({ prompt, status: { messages } }: HistoryEntry): Run => {
  const started = messages.find(([name]) => name === 'execution_start');
  const [end = 'none', last] = messages.at(-1) ?? [];
  return {
    ...identityOf(prompt),
    from: started?.[1].timestamp ?? Number.NaN,
    to: last?.timestamp ?? Number.NaN,
    end,
  };
};

export const podControl = (url: string): PodControl => {
  const get = async <T>(path: string): Promise<T> => (await (await fetch(`${url}${path}`)).json()) as T;
  const post = async (path: string, body: unknown = {}): Promise<void> => {
    const response = await fetch(`${url}/demo/${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`/demo/${path} answered ${response.status}`);
  };
  const tuples = (): Promise<{ queue_running: Tuple[]; queue_pending: Tuple[] }> => get('/queue');
  return {
    url,
    hold: (afterSteps) => post('hold', { afterSteps }),
    release: () => post('release'),
    untilHeld: async () => {
      const held = async (): Promise<boolean> => (await get<{ held: boolean }>('/demo/state')).held;
      await waitUntil(held, { what: `a job held by ${url}`, timeoutMs: 60_000 });
    },
    rejectNext: (status) => post('reject-next', { status }),
    failNext: (kind, rest = {}) => post('fail-next', { kind, ...rest }),
    queue: async () => {
      const { queue_running, queue_pending } = await tuples();
      return { running: queue_running.map(identityOf), pending: queue_pending.map(identityOf) };
    },
    runs: async () => Object.values(await get<Record<string, HistoryEntry>>('/history')).map(runOf),
    workflowOf: async (promptId) => {
      const { queue_running, queue_pending } = await tuples();
      const queued = [...queue_running, ...queue_pending].find(([, id]) => id === promptId);
      const history = await get<Record<string, HistoryEntry>>(`/history/${promptId}`);
      const prompt = (queued ?? history[promptId]?.prompt)?.[2];
      if (prompt === undefined) throw new Error(`${url} knows no prompt ${promptId}`);
      return prompt as Record<string, { inputs: Record<string, unknown> }>;
    },
  };
};
