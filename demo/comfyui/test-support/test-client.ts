/** Test support: a socket that keeps its frames, and the few calls every test needs. */
import { WebSocket } from 'ws';
import type { SimulatedComfyUi } from '../simulated-comfyui.ts';
import { until } from './recording-player.ts';

export interface Frame {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

export interface TestSocket {
  readonly socket: WebSocket;
  readonly frames: Frame[];
  readonly binaries: Buffer[];
  readonly closeCode: () => number | undefined;
  types(): string[];
}

export async function connect(pod: SimulatedComfyUi, clientId: string, path = '/ws'): Promise<TestSocket> {
  const socket = new WebSocket(`${pod.url.replace('http', 'ws')}${path}?clientId=${clientId}`);
  const frames: Frame[] = [];
  const binaries: Buffer[] = [];
  let code: number | undefined;
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) binaries.push(data);
    else frames.push(JSON.parse(data.toString('utf8')) as Frame);
  });
  socket.on('close', (closeCode) => {
    code = closeCode;
  });
  socket.on('error', () => undefined);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  await until(() => frames.length > 0, 'the first frame');
  return { socket, frames, binaries, closeCode: () => code, types: () => frames.map((frame) => frame.type) };
}

export function post(pod: SimulatedComfyUi, path: string, body: unknown): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(pod.url + path, { method: 'POST', body: text });
}

export async function submit(pod: SimulatedComfyUi, prompt: unknown, more: object = {}): Promise<string> {
  const reply = await post(pod, '/prompt', { prompt, client_id: 'me', ...more });
  if (reply.status !== 200) throw new Error(`refused: ${await reply.text()}`);
  return ((await reply.json()) as { prompt_id: string }).prompt_id;
}

export interface HistoryView {
  readonly prompt: [number, string, unknown, unknown, string[]];
  readonly outputs: Record<string, Record<string, unknown[]>>;
  readonly status: {
    status_str: string;
    completed: boolean;
    messages: Array<[string, Record<string, unknown>]>;
  };
}

export async function finished(pod: SimulatedComfyUi, id: string): Promise<HistoryView> {
  await until(() => id in pod.history(id), `prompt ${id} to end`);
  return pod.history(id)[id] as HistoryView;
}

export function sampling(seed: number, steps = 4, size = 64): Record<string, unknown> {
  return {
    '3': {
      class_type: 'KSampler',
      inputs: {
        model: ['4', 0],
        positive: ['6', 0],
        negative: ['6', 0],
        latent_image: ['5', 0],
        seed,
        steps,
        cfg: 8,
        sampler_name: 'euler',
        scheduler: 'normal',
        denoise: 1,
      },
    },
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'flux1-dev-fp8.safetensors' } },
    '5': { class_type: 'EmptyLatentImage', inputs: { width: size, height: size, batch_size: 1 } },
    '6': { class_type: 'CLIPTextEncode', inputs: { clip: ['4', 1], text: 'a forest' } },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
    '9': { class_type: 'SaveImage', inputs: { filename_prefix: 'ComfyUI', images: ['8', 0] } },
  };
}

export function flatImage(color: number, prefix = 'flat'): Record<string, unknown> {
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 16, height: 16, batch_size: 1, color } },
    '2': { class_type: 'SaveImage', inputs: { filename_prefix: prefix, images: ['1', 0] } },
  };
}
