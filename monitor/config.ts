/** The monitor's configuration: environment in, one checked value out. */
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';

export interface MonitorConfig {
  readonly comfyuiHost: string;
  readonly comfyuiPort: number;
  readonly eventBusName: string;
  readonly region: string;
  readonly workerId: string;
  /** Stable over restarts: ComfyUI sends the frames of a prompt to the socket of this id. */
  readonly clientId: string;
  /** Where the control plane reaches this ComfyUI. */
  readonly comfyuiPublicUrl: string;
  readonly stateDir: string;
  readonly progressIntervalMs: number;
  /** 0 = any free port. */
  readonly healthPort: number;
  readonly heartbeatSeconds: number;
  /** Tasks may ask for workers with certain tags; sorted, unique. */
  readonly tags: readonly string[];
  readonly stallTimeoutSeconds: number;
  /** Function that takes pictures while sampling; undefined: none are sent. */
  readonly previewFunctionName: string | undefined;
  readonly logLevel: string;
}

export const ENVIRONMENT: readonly (readonly [name: string, help: string])[] = [
  ['COMFYUI_HOST', 'host of the ComfyUI to watch (default 127.0.0.1)'],
  ['COMFYUI_PORT', 'its port (default 8188)'],
  ['EVENTBRIDGE_BUS_NAME', 'event bus to publish to (required)'],
  ['AWS_REGION', 'region of the bus (required)'],
  ['WORKER_ID', 'name of this worker (default: the host name)'],
  [
    'COMFYUI_PUBLIC_URL',
    'where the control plane reaches ComfyUI (default http://COMFYUI_HOST:COMFYUI_PORT)',
  ],
  ['MONITOR_STATE_DIR', 'spool and lock; keep it over restarts (default: per worker, under the state home)'],
  ['MONITOR_PROGRESS_INTERVAL_MS', 'at most one progress event per job in this time (default 1000)'],
  ['MONITOR_HEALTH_PORT', '/healthz and /metrics on 127.0.0.1; 0 = any free port (default 9188)'],
  ['MONITOR_HEARTBEAT_SECONDS', 'one Monitor Heartbeat in this time (default 20)'],
  ['MONITOR_STALL_TIMEOUT_SECONDS', 'a running prompt silent for so long has failed (default 1200)'],
  ['WORKER_TAGS', 'comma-separated tags that tasks may ask for, such as sdxl,eu (default none)'],
  ['PREVIEW_FUNCTION_NAME', 'function that takes pictures while sampling (default none: no picture is sent)'],
  ['LOG_LEVEL', 'trace, debug, info, warn, error, fatal or silent (default info)'],
];

const integer = (min: number, max: number, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .optional()
    .transform((value) => value ?? fallback);

/** As the task API has them, so that what a task asks for can be there. */
const TAG = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/;
const MAX_TAGS = 16;

const tagList = z
  .string()
  .default('')
  .transform((text) => [...new Set(text.split(',').map((tag) => tag.trim()))].filter((tag) => tag !== ''))
  .refine((tags) => tags.length <= MAX_TAGS, `must be at most ${MAX_TAGS} tags`)
  .refine(
    (tags) => tags.every((tag) => TAG.test(tag)),
    'must be comma-separated tags of letters, digits and . _ : / -, at most 64 each',
  )
  .transform((tags) => tags.toSorted());

const workerIdOf = (name: string): string => name.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 64) || 'worker';

const HOST = /^[A-Za-z0-9._-]+$|^[0-9a-fA-F:]+$/;

const environmentSchema = z.object({
  COMFYUI_HOST: z.string().regex(HOST, 'must be a host name or an IP address').default('127.0.0.1'),
  COMFYUI_PORT: integer(1, 65_535, 8188),
  EVENTBRIDGE_BUS_NAME: z
    .string('is required')
    .regex(/^[/.\-_A-Za-z0-9:]{1,1600}$/, 'must be a bus name or ARN'),
  AWS_REGION: z.string('is required').regex(/^[a-z0-9-]{1,64}$/, 'must be a region such as eu-west-1'),
  WORKER_ID: z.string().optional(),
  COMFYUI_PUBLIC_URL: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
  MONITOR_STATE_DIR: z.string().optional(),
  MONITOR_PROGRESS_INTERVAL_MS: integer(50, 60_000, 1000),
  MONITOR_HEALTH_PORT: integer(0, 65_535, 9188),
  MONITOR_HEARTBEAT_SECONDS: integer(1, 3600, 20),
  MONITOR_STALL_TIMEOUT_SECONDS: integer(1, 86_400, 1200),
  WORKER_TAGS: tagList,
  PREVIEW_FUNCTION_NAME: z
    .string()
    .regex(/^[A-Za-z0-9:_-]{1,170}$/, 'must be the name or the ARN of a function')
    .optional(),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'must be a log level')
    .default('info'),
});

export type ConfigReading =
  | { readonly kind: 'ok'; readonly config: MonitorConfig }
  /** One line per variable that is wrong or missing. */
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

type Environment = Readonly<Record<string, string | undefined>>;

const stateHome = (env: Environment): string => env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state');

/** `http://host:port` of ComfyUI; IPv6 addresses in brackets. */
export const comfyuiUrl = (config: Pick<MonitorConfig, 'comfyuiHost' | 'comfyuiPort'>): string => {
  const host = config.comfyuiHost.includes(':') ? `[${config.comfyuiHost}]` : config.comfyuiHost;
  return `http://${host}:${config.comfyuiPort}`;
};

const build = (env: z.infer<typeof environmentSchema>, raw: Environment): MonitorConfig => {
  const workerId = workerIdOf(env.WORKER_ID ?? hostname());
  const address = { comfyuiHost: env.COMFYUI_HOST, comfyuiPort: env.COMFYUI_PORT };
  return {
    ...address,
    eventBusName: env.EVENTBRIDGE_BUS_NAME,
    region: env.AWS_REGION,
    workerId,
    clientId: `monitor-${workerId}`,
    comfyuiPublicUrl: (env.COMFYUI_PUBLIC_URL ?? comfyuiUrl(address)).replace(/\/+$/, ''),
    stateDir: env.MONITOR_STATE_DIR ?? join(stateHome(raw), 'comfyui-monitor', workerId),
    progressIntervalMs: env.MONITOR_PROGRESS_INTERVAL_MS,
    healthPort: env.MONITOR_HEALTH_PORT,
    heartbeatSeconds: env.MONITOR_HEARTBEAT_SECONDS,
    stallTimeoutSeconds: env.MONITOR_STALL_TIMEOUT_SECONDS,
    tags: env.WORKER_TAGS,
    previewFunctionName: env.PREVIEW_FUNCTION_NAME,
    logLevel: env.LOG_LEVEL,
  };
};

/** Reads the environment once; an empty variable counts as not set. Never throws. */
export const readConfig = (env: Environment): ConfigReading => {
  const set = Object.fromEntries(
    ENVIRONMENT.flatMap(([name]) => (env[name] === undefined || env[name] === '' ? [] : [[name, env[name]]])),
  );
  const read = environmentSchema.safeParse(set);
  if (read.success) return { kind: 'ok', config: build(read.data, env) };
  return {
    kind: 'invalid',
    problems: read.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`),
  };
};
