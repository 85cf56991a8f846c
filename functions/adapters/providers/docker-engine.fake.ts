/**
 * A Docker Engine on a unix socket that keeps containers as the real one does (docs.docker.com/reference/api/engine/
 * version/v1.44): their life, names and labels, images that must be pulled, ports given at start, framed logs.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  startFaultyServer,
  type FakeAnswer,
  type FakeRequest,
  type FaultyServer,
} from './provider-contract-server.ts';

interface CreateBody {
  readonly Image: string;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly HostConfig: {
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string }[]>>;
    readonly DeviceRequests: readonly { readonly DeviceIDs?: readonly string[]; readonly Count?: number }[];
    readonly [key: string]: unknown;
  };
}

export interface FakeContainer {
  readonly id: string;
  readonly name: string;
  readonly body: CreateBody;
  status: 'created' | 'running' | 'exited' | 'paused' | 'dead';
  hostPort: number | undefined;
  log: readonly string[];
}

export interface FakeDocker {
  readonly server: FaultyServer;
  /** `unix://…` */
  readonly host: string;
  /** By name, in the order of their making. */
  readonly containers: Map<string, FakeContainer>;
  /** Images that are there. */
  readonly images: Set<string>;
  /** Images that a pull would bring. */
  readonly pullable: Set<string>;
  /** Devices that no container gets. */
  readonly busyDevices: Set<string>;
  /** Someone's container, running. */
  addContainer(name: string, body: Partial<CreateBody>): FakeContainer;
  stop(): Promise<void>;
}

const CREATED = '2026-11-22T10:00:01.123456789Z';
const json = (status: number, value: unknown): FakeAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
const failure = (status: number, message: string): FakeAnswer => json(status, { message });

const frame = (stream: number, line: string): Buffer => {
  const text = Buffer.from(line);
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(text.length, 4);
  return Buffer.concat([head, text]);
};

const portKeys = ({ body }: FakeContainer): string[] => Object.keys(body.HostConfig.PortBindings);

const inspected = (container: FakeContainer) => ({
  Id: container.id,
  Name: `/${container.name}`,
  Created: CREATED,
  State: { Status: container.status, Running: container.status === 'running', ExitCode: 0 },
  Config: { Labels: container.body.Labels, Env: container.body.Env, Image: container.body.Image },
  NetworkSettings: {
    Ports: Object.fromEntries(
      portKeys(container).map((key) => [
        key,
        container.hostPort === undefined
          ? null
          : [{ HostIp: '127.0.0.1', HostPort: String(container.hostPort) }],
      ]),
    ),
  },
});

const listed = (container: FakeContainer) => ({
  Id: container.id,
  Names: [`/${container.name}`],
  Image: container.body.Image,
  Created: Date.parse('2026-11-22T10:00:01Z') / 1000,
  State: container.status,
  Status: 'Up 3 seconds',
  Labels: container.body.Labels,
  Ports: portKeys(container).map((key) => ({
    PrivatePort: Number.parseInt(key, 10),
    Type: 'tcp',
    ...(container.hostPort === undefined ? {} : { IP: '127.0.0.1', PublicPort: container.hostPort }),
  })),
});

const hasLabel = ({ body }: FakeContainer, label: string): boolean => {
  const [key = '', value] = label.split('=');
  return value === undefined ? key in body.Labels : body.Labels[key] === value;
};

type State = Omit<FakeDocker, 'server' | 'host' | 'stop'> & { nextPort: number };

const create = (state: State, name: string, body: CreateBody): FakeAnswer => {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return failure(400, `Invalid container name (${name})`);
  if (!state.images.has(body.Image)) return failure(404, `No such image: ${body.Image}`);
  if (state.containers.has(name)) {
    return failure(409, `Conflict. The container name "/${name}" is already in use`);
  }
  const id = createHash('sha256').update(name).digest('hex');
  state.containers.set(name, { id, name, body, status: 'created', hostPort: undefined, log: [] });
  return json(201, { Id: id, Warnings: [] });
};

const start = (state: State, container: FakeContainer): FakeAnswer => {
  if (container.status === 'running') return { status: 304 };
  const devices = container.body.HostConfig.DeviceRequests.flatMap(({ DeviceIDs = [] }) => DeviceIDs);
  if (devices.some((device) => state.busyDevices.has(device))) {
    return failure(500, 'could not select device driver "nvidia" with capabilities: [[gpu]]');
  }
  container.status = 'running';
  container.hostPort = state.nextPort;
  state.nextPort += 1;
  return { status: 204 };
};

const stopped = (container: FakeContainer): FakeAnswer => {
  if (container.status !== 'running') return { status: 304 };
  container.status = 'exited';
  container.hostPort = undefined;
  return { status: 204 };
};

const logs = ({ log }: FakeContainer, query: URLSearchParams): FakeAnswer => {
  const tail = Number(query.get('tail') ?? log.length);
  const frames = log.slice(-tail).map((line, index) => frame(1 + (index % 2), `${line}\n`));
  return {
    status: 200,
    headers: { 'content-type': 'application/vnd.docker.multiplexed-stream' },
    body: Buffer.concat(frames),
  };
};

const pull = (state: State, query: URLSearchParams): FakeAnswer => {
  const image = `${query.get('fromImage') ?? ''}:${query.get('tag') ?? ''}`;
  const progress = `${JSON.stringify({ status: `Pulling from ${image}` })}\r\n`;
  if (!state.pullable.has(image)) {
    return { status: 200, body: `${progress}${JSON.stringify({ error: `no such image: ${image}` })}\r\n` };
  }
  state.images.add(image);
  return { status: 200, body: `${progress}${JSON.stringify({ status: 'Download complete' })}\r\n` };
};

const answerOn = (
  state: State,
  container: FakeContainer,
  verb: string,
  query: URLSearchParams,
): FakeAnswer => {
  switch (verb) {
    case 'GET json':
      return json(200, inspected(container));
    case 'GET logs':
      return logs(container, query);
    case 'POST start':
      return start(state, container);
    case 'POST stop':
      return stopped(container);
    case 'DELETE ':
      if (container.status === 'running' && query.get('force') !== 'true') {
        return failure(409, 'cannot remove a running container');
      }
      state.containers.delete(container.name);
      return { status: 204 };
    default:
      return failure(404, 'page not found');
  }
};

const answer = (state: State, { method, path: asked, body }: FakeRequest): FakeAnswer => {
  const url = new URL(asked, 'http://docker');
  const [, version, kind, name = '', action = ''] = url.pathname.split('/');
  if (version !== 'v1.44') return failure(400, `client version ${version} is not supported`);
  if (kind === 'images') return pull(state, url.searchParams);
  if (kind !== 'containers') return failure(404, 'page not found');
  if (name === 'create') {
    return create(state, url.searchParams.get('name') ?? '', JSON.parse(body) as CreateBody);
  }
  if (name === 'json') {
    const filters = JSON.parse(url.searchParams.get('filters') ?? '{}') as { label?: string[] };
    const wanted = filters.label ?? [];
    const all = [...state.containers.values()].filter((container) =>
      wanted.every((label) => hasLabel(container, label)),
    );
    return json(200, all.map(listed));
  }
  const container = [...state.containers.values()].find((known) => known.name === name || known.id === name);
  if (container === undefined) return failure(404, `No such container: ${name}`);
  return answerOn(state, container, `${method} ${action}`, url.searchParams);
};

/** Starts with the image `registry.example/comfyui:1`, and nothing that runs. */
export const startFakeDocker = async (): Promise<FakeDocker> => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'docker-'));
  const socketPath = path.join(folder, 'docker.sock');
  const state: State = {
    containers: new Map(),
    images: new Set(['registry.example/comfyui:1']),
    pullable: new Set(),
    busyDevices: new Set(),
    nextPort: 49_153,
    addContainer: (name, body) => {
      const whole: CreateBody = {
        Image: 'busybox',
        Env: [],
        Labels: {},
        HostConfig: { PortBindings: {}, DeviceRequests: [] },
        ...body,
      };
      state.images.add(whole.Image);
      create(state, name, whole);
      const made = state.containers.get(name);
      if (made === undefined) throw new Error(`no container ${name}`);
      start(state, made);
      return made;
    },
  };
  const server = await startFaultyServer({
    socketPath,
    answer: (request) => answer(state, request),
    isLaunch: (request) => request.path.includes('/containers/create'),
  });
  return {
    ...state,
    server,
    host: `unix://${socketPath}`,
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
