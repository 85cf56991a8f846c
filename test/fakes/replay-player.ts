/** The process inside the replayed ComfyUI: plays one prompt after the other, with a queue and a history. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { asObject, frameText, type Json, type RecordedLine, type Recording } from './recording.ts';
import { announcedFile, filesOf, type ReplayFile } from './replay-files.ts';
import { outputNodesOf, scoreOf, type Score } from './replay-score.ts';

export interface ReplayOptions {
  /** 1 = as recorded, 0 = without pauses (default). */
  readonly pace?: number;
  /** Playing stops before the first frame for which this holds, until `resume()`: once, and once after each `load()`. */
  readonly pauseBefore?: (frameText: string) => boolean;
  /** Which frames are sent; all by default. */
  readonly sends?: (frameText: string) => boolean;
}

interface Run {
  readonly promptId: string;
  readonly score: Score;
  readonly clientId: string | undefined;
  readonly tuple: unknown[];
  interrupted: boolean;
}

const PREVIEW_WITH_METADATA = 4;

/** Metadata of a preview names the prompt: rewritten, its length prefix with it. */
const rewriteBinary = (frame: Buffer, from: string, to: string): Buffer => {
  if (frame.readUInt32BE(0) !== PREVIEW_WITH_METADATA) return frame;
  const length = frame.readUInt32BE(4);
  const metadata = Buffer.from(frame.toString('utf8', 8, 8 + length).replaceAll(from, to));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(PREVIEW_WITH_METADATA, 0);
  head.writeUInt32BE(metadata.length, 4);
  return Buffer.concat([head, metadata, frame.subarray(8 + length)]);
};

const isEnd = (text: string): boolean => text.includes('"executing"') && text.includes('"node":null');

const interruption = (run: Run): Json => ({
  type: 'execution_interrupted',
  data: { prompt_id: run.promptId, node_id: null, node_type: null, executed: [], timestamp: Date.now() },
});

/** Plays one prompt after the other, and remembers them as a ComfyUI process does. */
export class Player {
  readonly requests: string[] = [];
  readonly received: string[] = [];
  readonly sockets = new Map<WebSocket, string>();
  readonly #options: ReplayOptions;
  readonly #files = new Map<string, ReplayFile>();
  readonly #scores: Score[] = [];
  #score: Score;
  #pending: Run[] = [];
  #running: Run | undefined;
  #history = new Map<string, Json>();
  #number = 0;
  #life = new AbortController();
  #resume: (() => void) | undefined;
  #paused = false;
  #held = false;
  #deafTo: string | undefined;

  constructor(recording: Recording, options: ReplayOptions) {
    this.#options = options;
    this.#score = this.load(recording);
  }

  /** What the posts from now on play. */
  load(recording: Recording): Score {
    this.#score = scoreOf(recording);
    this.#resume = undefined;
    this.#scores.push(this.#score);
    for (const [name, file] of filesOf(recording)) this.#files.set(name, file);
    return this.#score;
  }

  get remaining(): number {
    return this.#pending.length + (this.#running === undefined ? 0 : 1);
  }

  get paused(): boolean {
    return this.#paused;
  }

  resume(): void {
    this.#resume?.();
  }

  /** Prompts wait in the queue until `release()`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    void this.#playAll();
  }

  /** False while the recorded client had no socket. */
  listensTo(clientId: string): boolean {
    return clientId !== this.#deafTo;
  }

  file(name: string): ReplayFile | undefined {
    const fetched = this.#files.get(name);
    if (fetched !== undefined) return fetched;
    return this.#scores.map(({ prompt }) => announcedFile(prompt, name)).find((file) => file !== undefined);
  }

  broadcast(data: string | Buffer): void {
    for (const socket of this.sockets.keys()) {
      socket.send(data, { binary: typeof data !== 'string' }, () => undefined);
    }
  }

  #socketsOf(clientId: string | undefined): WebSocket[] {
    return [...this.sockets].flatMap(([socket, id]) => (id === clientId ? [socket] : []));
  }

  #sendTo(clientId: string | undefined, data: string | Buffer): void {
    for (const socket of this.#socketsOf(clientId)) {
      socket.send(data, { binary: typeof data !== 'string' }, () => undefined);
    }
  }

  #status(sid?: string): string {
    const status = { exec_info: { queue_remaining: this.remaining } };
    return JSON.stringify({ type: 'status', data: { status, ...(sid === undefined ? {} : { sid }) } });
  }

  /** What a client hears first: the queue, and, while its own prompt runs, the node at work. */
  greet(socket: WebSocket, clientId: string): void {
    socket.send(this.#status(clientId));
    if (this.#running?.clientId !== clientId) return;
    const [node] = Object.keys(asObject(this.#running.score.prompt.workflow));
    socket.send(JSON.stringify({ type: 'executing', data: { node } }));
  }

  enqueue(body: Json): Json {
    const promptId = typeof body['prompt_id'] === 'string' ? body['prompt_id'] : crypto.randomUUID();
    const clientId = typeof body['client_id'] === 'string' ? body['client_id'] : undefined;
    const extra = {
      ...asObject(body['extra_data']),
      ...(clientId === undefined ? {} : { client_id: clientId }),
    };
    const score = this.#score;
    const outputs = outputNodesOf(score.prompt);
    const number = this.#number;
    const tuple = [number, promptId, body['prompt'], extra, outputs];
    this.#number += 1;
    this.#pending.push({ promptId, score, clientId, tuple, interrupted: false });
    this.broadcast(this.#status());
    void this.#playAll();
    return { prompt_id: promptId, number, node_errors: {} };
  }

  remove(promptIds: readonly unknown[]): void {
    this.#pending = this.#pending.filter((run) => !promptIds.includes(run.promptId));
    this.broadcast(this.#status());
  }

  interrupt(promptId: unknown): void {
    if (this.#running === undefined || (promptId ?? this.#running.promptId) !== this.#running.promptId)
      return;
    this.#running.interrupted = true;
    this.resume();
  }

  queue(): Json {
    return {
      queue_running: this.#running === undefined ? [] : [this.#running.tuple],
      queue_pending: this.#pending.map((run) => run.tuple),
    };
  }

  history(promptId?: string): Json {
    if (promptId === undefined) return Object.fromEntries(this.#history);
    const entry = this.#history.get(promptId);
    return entry === undefined ? {} : { [promptId]: entry };
  }

  /** The end of the process: nothing is kept. */
  die(): void {
    this.#life.abort();
    for (const socket of this.sockets.keys()) socket.terminate();
    [this.#pending, this.#running, this.#number, this.#deafTo] = [[], undefined, 0, undefined];
    this.#history = new Map();
    this.#life = new AbortController();
  }

  async #playAll(): Promise<void> {
    const { signal } = this.#life;
    if (this.#running !== undefined) return;
    while (!signal.aborted && !this.#held) {
      const run = this.#pending.shift();
      if (run === undefined) return;
      this.#running = run;
      await this.#play(run, signal);
    }
  }

  async #play(run: Run, signal: AbortSignal): Promise<void> {
    const { prompt, lines } = run.score;
    const { pace = 0 } = this.#options;
    let at = prompt.postedAt;
    const until = async (ms: number): Promise<void> => {
      await sleep((ms - at) * pace, undefined, { signal }).catch(() => undefined);
      at = ms;
    };
    this.broadcast(this.#status());
    for (const line of lines) {
      await until(line.ms);
      const text = frameText(line)?.replaceAll(prompt.promptId, run.promptId);
      if (text !== undefined) await this.#waitIfAsked(text, signal);
      if (signal.aborted || run.interrupted || (text !== undefined && isEnd(text))) break;
      if (line.event === undefined) this.#sendLine(run, line, text);
      else await this.#connection(run, line.event, signal);
    }
    if (!run.interrupted) await until(Math.max(at, prompt.endedAt));
    if (!signal.aborted) this.#finish(run);
  }

  #sendLine({ clientId, promptId, score }: Run, line: RecordedLine, text: string | undefined): void {
    const { sends = () => true } = this.#options;
    if (line.binary !== undefined) {
      const frame = Buffer.from(line.binary, 'base64');
      this.#sendTo(clientId, rewriteBinary(frame, score.prompt.promptId, promptId));
    } else if (text !== undefined && sends(text)) this.#sendTo(clientId, text);
  }

  /** The client had no socket from `close` to `open`; what comes after `open` waits until it is back. */
  async #connection({ clientId }: Run, event: 'open' | 'close', signal: AbortSignal): Promise<void> {
    this.#deafTo = event === 'close' ? clientId : undefined;
    if (event === 'close') for (const socket of this.#socketsOf(clientId)) socket.terminate();
    else while (!signal.aborted && this.#socketsOf(clientId).length === 0) await sleep(5);
  }

  /** Before the frame that the test named. */
  async #waitIfAsked(text: string, signal: AbortSignal): Promise<void> {
    const { pauseBefore = () => false } = this.#options;
    if (this.#resume !== undefined || !pauseBefore(text)) return;
    this.#paused = true;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#paused = false;
  }

  #finish(run: Run): void {
    const { prompt } = run.score;
    if (run.interrupted) {
      const frame = interruption(run);
      const status = {
        status_str: 'error',
        completed: false,
        messages: [[frame['type'], frame['data']]],
      };
      this.#sendTo(run.clientId, JSON.stringify(frame));
      this.#history.set(run.promptId, { prompt: run.tuple, outputs: {}, status, meta: {} });
    } else {
      const text = JSON.stringify(prompt.entry ?? {});
      const entry = asObject(JSON.parse(text.replaceAll(prompt.promptId, run.promptId)));
      this.#history.set(run.promptId, { ...entry, prompt: run.tuple });
    }
    this.#running = undefined;
    this.#deafTo = undefined;
    this.broadcast(this.#status());
    const data = { node: null, prompt_id: run.promptId };
    this.#sendTo(run.clientId, JSON.stringify({ type: 'executing', data }));
  }
}
