/**
 * Test support: plays a recording of the real ComfyUI against the simulated one, line by line, and holds each frame
 * and reply against what was recorded. Time stands still: a sampling step happens when the recording shows one.
 */
import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';
import { WebSocket } from 'ws';
import { Normaliser, withoutPixels } from './recording-normaliser.ts';
import type { SimulatedComfyUi } from '../simulated-comfyui.ts';

type Json = Record<string, unknown>;

export interface RecordedLine {
  readonly socket?: string;
  readonly event?: 'open' | 'close';
  readonly sent?: unknown;
  readonly text?: Json;
  readonly raw?: string;
  readonly binary?: string;
  readonly http?: string;
  readonly body?: unknown;
  readonly status?: number;
  readonly response?: unknown;
  readonly rawResponse?: string;
}

export function readRecording(name: string): RecordedLine[] {
  const file = new URL(`../../../test/fixtures/comfyui-recordings/${name}.jsonl`, import.meta.url);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as RecordedLine);
}

/** The pod's clock: each wait of a node ends when the player says so. */
export class StepGate {
  private waiting: Array<() => void> = [];

  readonly sleep = (milliseconds: number, signal: AbortSignal): Promise<void> => {
    if (milliseconds <= 0) return new Promise((resolve) => setImmediate(resolve));
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      signal.addEventListener('abort', () => resolve());
    });
  };

  get pending(): number {
    return this.waiting.length;
  }

  async release(steps: number): Promise<void> {
    for (let i = 0; i < steps; i++) {
      await until(() => this.waiting.length > 0, 'a node that waits for its next step');
      this.waiting.shift()?.();
    }
  }

  releaseAll(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** Generous: it is only waited out by a test that fails. */
const UNTIL_MS = 60_000;

export async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + UNTIL_MS;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

interface Line {
  readonly socket: WebSocket;
  readonly inbox: string[];
}

export class RecordingPlayer {
  private readonly pod: SimulatedComfyUi;
  private readonly gate: StepGate;
  private readonly lines = new Map<string, Line>();
  private readonly clients = new Map<string, string>();
  private readonly ours = new Normaliser();
  private readonly theirs = new Normaliser();
  private stepsSeen = 0;
  private readonly previous = new Map<string, string>();
  private readonly slowNode: string | undefined;
  frames = 0;
  replies = 0;

  /** @param slowNode a node whose whole run counts as one step. */
  constructor(pod: SimulatedComfyUi, gate: StepGate, slowNode?: string) {
    this.slowNode = slowNode;
    this.pod = pod;
    this.gate = gate;
  }

  async play(recording: readonly RecordedLine[]): Promise<void> {
    for (const line of recording) {
      if (line.text?.['data'] && 'sid' in (line.text['data'] as Json)) {
        this.clients.set(line.socket ?? '', String((line.text['data'] as Json)['sid']));
      }
    }
    for (const [index, line] of recording.entries()) await this.perform(line, recording.slice(index + 1));
    for (const { socket } of this.lines.values()) await closed(socket);
    await this.socketsGone();
  }

  private async perform(line: RecordedLine, rest: readonly RecordedLine[]): Promise<void> {
    if (line.http) return this.exchange(line);
    const name = line.socket ?? '';
    if (line.event === 'close') return this.cut(name);
    if (!this.lines.has(name)) await this.open(name, [line, ...rest]);
    if (line.sent) this.lines.get(name)?.socket.send(JSON.stringify(line.sent));
    if (line.text ?? line.raw ?? line.binary) await this.expectFrame(name, line);
  }

  private async cut(name: string): Promise<void> {
    const line = this.lines.get(name);
    this.lines.delete(name);
    if (!line) return;
    expect(line.inbox).toEqual([]);
    await closed(line.socket);
    await this.socketsGone();
  }

  private async socketsGone(): Promise<void> {
    await until(async () => {
      const state = (await (await fetch(`${this.pod.url}/demo/state`)).json()) as Json;
      return state['open_sockets'] === 0 || this.lines.size > 0;
    }, 'the pod to notice closed sockets');
  }

  /** What happened while nobody listened must have happened before the socket opens again. */
  private async open(name: string, rest: readonly RecordedLine[]): Promise<void> {
    const later = rest.find((line) => line.socket === name && line.text?.['type'] === 'progress_state');
    const first = rest.find((line) => line.socket === name && line.text)?.text;
    if (JSON.stringify(first).includes('"queue_remaining":0')) {
      await until(() => {
        this.gate.releaseAll();
        return this.pod.queue().queue_running.length === 0;
      }, 'the run to end unseen');
    } else if (later?.text) {
      const missed = this.stepsIn(later.text) - this.stepsSeen - 1;
      await this.gate.release(missed);
      this.stepsSeen += missed;
      await until(() => this.gate.pending > 0, 'the steps nobody saw');
    }
    await this.connect(name);
  }

  private async connect(name: string): Promise<void> {
    const url = `${this.pod.url.replace('http', 'ws')}/ws?clientId=${this.clients.get(name) ?? name}`;
    const socket = new WebSocket(url);
    const inbox: string[] = [];
    let previous = '';
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      const frame = isBinary ? `binary:${data.toString('base64')}` : data.toString('utf8');
      // Whether a status comes once or twice is a matter of luck in the recordings too.
      if (frame.startsWith('{"type": "status"') && frame === previous) return;
      previous = frame;
      inbox.push(frame);
    });
    this.lines.set(name, { socket, inbox });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  }

  private async expectFrame(name: string, line: RecordedLine): Promise<void> {
    const wire = line.text ? JSON.stringify(line.text) : '';
    const repeated = wire.startsWith('{"type":"status"') && wire === this.previous.get(name);
    this.previous.set(name, wire);
    if (repeated) return;
    await this.advance(line);
    const inbox = this.lines.get(name)?.inbox ?? [];
    await until(() => inbox.length > 0, `${name}: ${(wire || line.raw || 'a binary frame').slice(0, 300)}`);
    this.compareFrame(inbox.shift() ?? '', line);
    this.frames += 1;
  }

  private compareFrame(actual: string, line: RecordedLine): void {
    if (line.binary) {
      const recorded = withoutPixels(Buffer.from(line.binary, 'base64'), this.theirs);
      expect(withoutPixels(Buffer.from(actual.replace('binary:', ''), 'base64'), this.ours)).toEqual(
        recorded,
      );
    } else if (line.raw) {
      expect(this.ours.text(actual)).toBe(this.theirs.text(line.raw));
    } else {
      expect(this.ours.json(JSON.parse(actual))).toEqual(this.theirs.json(line.text));
    }
  }

  private async advance(line: RecordedLine): Promise<void> {
    const type = line.text?.['type'];
    if (type === 'execution_start') this.stepsSeen = 0;
    if (type === 'execution_interrupted') await this.gate.release(1);
    if (type !== 'progress_state' || !line.text) return;
    const steps = this.stepsIn(line.text);
    if (steps > this.stepsSeen) await this.gate.release(steps - this.stepsSeen);
    this.stepsSeen = Math.max(steps, this.stepsSeen);
  }

  /** Steps reported so far by all nodes that count more than one. */
  private stepsIn(frame: Json): number {
    const { nodes } = frame['data'] as {
      nodes: Record<string, { value: number; max: number; state: string }>;
    };
    const counted = Object.values(nodes).filter((node) => node.max > 1);
    const slow = this.slowNode !== undefined && nodes[this.slowNode]?.state === 'finished' ? 1 : 0;
    return counted.reduce((sum, node) => sum + node.value, slow);
  }

  private async exchange(line: RecordedLine): Promise<void> {
    const [method = 'GET', target = '/'] = (line.http ?? '').split(' ');
    const url = this.pod.url + this.theirs.translate(target, this.ours);
    const body = line.body === null || line.body === undefined ? null : JSON.stringify(line.body);
    const sent = body === null ? null : this.theirs.translate(body, this.ours);
    const reply = await fetch(url, { method, body: sent });
    expect(reply.status).toBe(line.status);
    await this.compareReply(target, reply, line);
    this.replies += 1;
  }

  private async compareReply(target: string, reply: Response, line: RecordedLine): Promise<void> {
    if (target.startsWith('/view')) return this.compareFile(reply, line);
    const text = await reply.text();
    if (line.rawResponse !== undefined) expect(this.ours.text(text)).toBe(this.theirs.text(line.rawResponse));
    else if (isEmptyRecord(line.response)) expect(text).toBe('');
    else if (target === '/system_stats') expect(shapeOf(JSON.parse(text))).toEqual(shapeOf(line.response));
    else expect(this.ours.json(JSON.parse(text))).toEqual(this.theirs.json(line.response));
  }

  /** The picture differs; its type, its header fields and the workflow inside it don't. */
  private async compareFile(reply: Response, line: RecordedLine): Promise<void> {
    const recorded = line.response as { base64: string; headers: Record<string, string> };
    for (const name of Object.keys(recorded.headers)) expect(reply.headers.get(name)).not.toBeNull();
    expect(reply.headers.get('content-type')).toBe(recorded.headers['Content-Type']);
    expect(reply.headers.get('etag')).toMatch(/^"[0-9a-f]+-[0-9a-f]+"$/);
    const bytes = Buffer.from(await reply.arrayBuffer());
    expect(textChunk(bytes)).toBe(textChunk(Buffer.from(recorded.base64, 'base64')));
  }
}

function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState === WebSocket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.terminate();
  });
}

function isEmptyRecord(response: unknown): boolean {
  return response === '' || (typeof response === 'object' && response !== null && 'bytes' in response);
}

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value))
    return value.length > 0 && typeof value[0] === 'object' ? value.map(shapeOf) : 'list';
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
}

/** The first tEXt chunk of a PNG. */
export function textChunk(png: Buffer): string {
  const at = png.indexOf('tEXt');
  return at < 4 ? '' : png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)).toString('latin1');
}
