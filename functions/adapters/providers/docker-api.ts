/** The Docker Engine API (docs.docker.com/reference/api/engine/version/v1.44), as far as workers need it. */
import * as z from 'zod';
import type { Clock } from '../../core/ports.ts';
import type { ProviderRefusal } from '../../core/providers/worker-provider.ts';
import {
  providerRequest,
  quotedWithout,
  readProviderJson,
  refusalOf,
  type ProviderHttpAnswer,
  type ProviderHttpRequest,
  type ProviderReading,
} from './provider-http.ts';

export interface DockerConnection {
  /** `unix:///var/run/docker.sock`, `http://host:2375`, or `https://…` for a proxy in front of the engine. */
  readonly host: string;
  /** Headers of every request, such as the authorization of a proxy. Never logged. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The value of `X-Registry-Auth` for pulls from a private registry. Never logged. */
  readonly registryAuth?: string;
  /** Milliseconds of one call. */
  readonly timeoutMs: number;
  /** Milliseconds of one pull. */
  readonly pullTimeoutMs: number;
  readonly clock: Clock;
}

const labelsSchema = z
  .record(z.string(), z.string())
  .nullish()
  .transform((labels) => labels ?? {});

/** `GET /containers/{id}/json`. */
const inspectedSchema = z.object({
  Id: z.string().min(1),
  Name: z.string(),
  Created: z.string(),
  State: z.object({ Status: z.string() }),
  Config: z.object({ Labels: labelsSchema }),
  NetworkSettings: z.object({
    Ports: z.record(z.string(), z.array(z.object({ HostPort: z.string() })).nullable()).nullish(),
  }),
});
export type InspectedContainer = z.infer<typeof inspectedSchema>;

/** An item of `GET /containers/json`. */
const listedSchema = z.object({
  Id: z.string().min(1),
  Names: z.array(z.string()).min(1),
  /** Seconds since the epoch. */
  Created: z.number(),
  State: z.string(),
  Labels: labelsSchema,
  Ports: z
    .array(z.object({ PrivatePort: z.number(), PublicPort: z.number().optional() }))
    .nullish()
    .transform((ports) => ports ?? []),
});
export type ListedContainer = z.infer<typeof listedSchema>;

const messageSchema = z.object({ message: z.string() });

/** What was asked for is done, or is not there, or is in the way, or was refused. */
export type DockerDone =
  | { readonly kind: 'done' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'conflict' }
  /** The machine has no such GPU, or no driver for it. */
  | { readonly kind: 'noCapacity'; readonly message: string }
  | ProviderRefusal;

/** Of the first version that every engine since 25 has, engine 29 included, which took away the older ones. */
const VERSION = '/v1.44';

/**
 * The engine says with status 500 and text alone that there is no GPU to give: without a driver, when the container
 * is started (github.com/NVIDIA/nvidia-docker/issues/1352), and with one for a device that does not exist.
 */
const NO_GPU = /could not select device driver|unknown device|nvidia-container-cli/i;

type Asked = Pick<ProviderHttpRequest, 'method' | 'body' | 'signal' | 'sink'> & {
  readonly path: string;
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Not to be repeated in a message. */
  readonly secrets?: readonly string[];
};

const targetOf = (host: string, path: string) =>
  host.startsWith('unix://')
    ? { socketPath: host.slice('unix://'.length), path: `${VERSION}${path}` }
    : { url: `${host.replace(/^tcp:/, 'http:').replace(/\/+$/, '')}${VERSION}${path}` };

const wordsOf = ({ text }: ProviderHttpAnswer): string => {
  const reading = readProviderJson({ status: 0, text }, messageSchema);
  return reading.kind === 'read' ? reading.value.message : text;
};

/** Connection errors that a person must set right. */
const REFUSED_BY_THE_SYSTEM = new Set(['EACCES', 'EPERM']);

/** One call; `failed` is told as the refusal it is. */
const createCaller = (connection: DockerConnection) => {
  const { host, headers = {}, registryAuth = '', timeoutMs, clock } = connection;
  const own = [...Object.values(headers).flatMap((value) => [value, ...value.split(' ')]), registryAuth];
  const refuse = (answer: ProviderHttpAnswer, secrets: readonly string[] = []): ProviderRefusal => {
    const words = quotedWithout(wordsOf(answer), [...own, ...secrets]);
    const message = `Docker answered HTTP ${answer.status}: ${words}`;
    if (answer.status === 500 && NO_GPU.test(words)) return { kind: 'noCapacity', message };
    return refusalOf(answer.status, answer.headers['retry-after'], message);
  };
  const call = async (asked: Asked): Promise<ProviderHttpAnswer | ProviderRefusal> => {
    const result = await providerRequest({
      timeoutMs,
      clock,
      ...targetOf(host, asked.path),
      method: asked.method,
      body: asked.body,
      headers: { ...headers, ...asked.headers },
      ...(asked.signal === undefined ? {} : { signal: asked.signal }),
      ...(asked.sink === undefined ? {} : { sink: asked.sink }),
      ...(asked.timeoutMs === undefined ? {} : { timeoutMs: asked.timeoutMs }),
    });
    if (result.kind === 'answer') return result;
    const isOurs = result.code !== undefined && REFUSED_BY_THE_SYSTEM.has(result.code);
    return { kind: isOurs ? 'unauthorized' : 'unavailable', message: `Docker: ${result.message}` };
  };
  return { call, refuse };
};

/** An image's name and its tag or digest: without one the engine would pull every tag. */
const imageQuery = (image: string): string => {
  const at = image.indexOf('@');
  const colon = image.lastIndexOf(':');
  const split = at !== -1 ? at : colon > image.lastIndexOf('/') ? colon : image.length;
  const query = { fromImage: image.slice(0, split), tag: image.slice(split + 1) || 'latest' };
  return new URLSearchParams(query).toString();
};

const PULL_TAIL = 4096;
const pullErrorSchema = z.object({ error: z.string() });

/** A pull that fails has begun with status 200: the failure is a line of its progress. */
const pullError = (tail: string): string | undefined => {
  for (const text of tail.split('\n').reverse()) {
    const reading = readProviderJson({ status: 200, text }, pullErrorSchema);
    if (reading.kind === 'read') return reading.value.error;
  }
  return undefined;
};

export type DockerApi = ReturnType<typeof createDockerApi>;

/** Names and ids must be checked by the caller: they are put into paths. */
export const createDockerApi = (connection: DockerConnection) => {
  const { call, refuse } = createCaller(connection);
  const read = async <T>(
    path: string,
    schema: z.ZodType<T>,
    signal?: AbortSignal,
  ): Promise<ProviderReading<T> | { kind: 'absent' }> => {
    const answer = await call({ method: 'GET', path, ...(signal === undefined ? {} : { signal }) });
    if (answer.kind !== 'answer') return answer;
    if (answer.status === 404) return { kind: 'absent' };
    return answer.status === 200 ? readProviderJson(answer, schema) : refuse(answer);
  };
  /** 304 is Docker's word for "so already". */
  const act = async (asked: Asked): Promise<DockerDone> => {
    const answer = await call(asked);
    if (answer.kind !== 'answer') return answer;
    if ([201, 204, 304].includes(answer.status)) return { kind: 'done' };
    if (answer.status === 404) return { kind: 'absent' };
    return answer.status === 409 ? { kind: 'conflict' } : refuse(answer, asked.secrets);
  };
  return {
    inspect: (name: string, signal?: AbortSignal) =>
      read(`/containers/${name}/json`, inspectedSchema, signal),
    /** Running or not, of that label. */
    list: (label: string, signal?: AbortSignal) => {
      const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
      return read(`/containers/json?all=true&filters=${filters}`, z.array(listedSchema), signal);
    },
    /** `absent`: there is no such image here; `conflict`: the name is taken. */
    create: (name: string, body: unknown, secrets: readonly string[], signal?: AbortSignal) =>
      act({
        method: 'POST',
        path: `/containers/create?name=${name}`,
        body,
        secrets,
        ...(signal === undefined ? {} : { signal }),
      }),
    start: (name: string, signal?: AbortSignal) =>
      act({
        method: 'POST',
        path: `/containers/${name}/start`,
        ...(signal === undefined ? {} : { signal }),
      }),
    /** Asks it to end, kills it after `seconds`, and answers when it is down. */
    stop: (name: string, seconds: number, signal: AbortSignal) =>
      act({ method: 'POST', path: `/containers/${name}/stop?t=${seconds}`, signal, timeoutMs: 25_000 }),
    /** With its anonymous volumes. `conflict`: it is being removed. */
    remove: (name: string, signal?: AbortSignal) =>
      act({
        method: 'DELETE',
        path: `/containers/${name}?force=true&v=true`,
        ...(signal === undefined ? {} : { signal }),
      }),
    logs: async (name: string, lines: number, signal: AbortSignal) => {
      const path = `/containers/${name}/logs?stdout=true&stderr=true&tail=${lines}`;
      const answer = await call({ method: 'GET', path, signal });
      if (answer.kind !== 'answer' || answer.status === 200) return answer;
      return answer.status === 404 ? { kind: 'absent' as const } : refuse(answer);
    },
    pull: async (image: string, signal: AbortSignal): Promise<DockerDone> => {
      let tail = '';
      const answer = await call({
        method: 'POST',
        path: `/images/create?${imageQuery(image)}`,
        headers: connection.registryAuth === undefined ? {} : { 'x-registry-auth': connection.registryAuth },
        timeoutMs: connection.pullTimeoutMs,
        signal,
        sink: (piece) => {
          tail = (tail + piece.toString()).slice(-PULL_TAIL);
        },
      });
      if (answer.kind !== 'answer') return answer;
      if (answer.status !== 200) return refuse(answer);
      const error = pullError(tail);
      if (error === undefined) return { kind: 'done' };
      return refuse({ ...answer, status: 400, text: error });
    },
  };
};
