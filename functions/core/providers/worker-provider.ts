/**
 * Where workers come from: one port, an adapter a provider. An instance is a machine or container that runs ComfyUI
 * and its monitor; it becomes a worker when its monitor announces itself under the `workerId` it was launched with.
 */

/** `static`: monitors that announce themselves, which nobody launches or stops. */
export type ProviderName = 'static' | 'docker' | 'novita' | 'runpod' | 'ecs';

/**
 * `starting`: accepted, image being pulled or machine booting; `running`: the provider says it runs (its ComfyUI may
 * not); `stopping` and `stopped`: no work will come of it, and storage may still cost; `failed`: it will not start.
 */
export type InstanceState = 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';

export interface ProviderInstance {
  /** The provider's own id. */
  readonly instanceId: string;
  readonly provider: ProviderName;
  /** The name of its pool, so that one account serves several stages and pools. */
  readonly pool: string;
  readonly workerId: string;
  readonly state: InstanceState;
  /** ISO 8601. */
  readonly launchedAt: string;
  /** ISO 8601: whoever sees it alive after this stops it. Written on the instance itself, beside the table. */
  readonly leaseUntil: string;
  /** US dollars an hour; null when the provider does not tell. */
  readonly pricePerHour: number | null;
  /** Where its ComfyUI can be reached, where the provider knows it. */
  readonly address: string | null;
}

export interface LaunchRequest {
  readonly pool: string;
  /** What `WORKER_ID` of its monitor will be; letters, digits, dash; at most 63. Also makes a second call a no-op. */
  readonly workerId: string;
  /** Image with ComfyUI and the monitor. */
  readonly image: string;
  /** Environment of the container; holds secrets, so never logged. */
  readonly environment: Readonly<Record<string, string>>;
  /** Port of ComfyUI in the container. */
  readonly port: number;
  /** What to ask for, best first, in the provider's words: GPU type ids, product ids, a task definition. */
  readonly products: readonly string[];
  /** GPUs of one instance; 0 for none. */
  readonly gpuCount: number;
  /** Gigabytes. */
  readonly diskGb: number;
  /** ISO 8601: the hard end of the instance's life. */
  readonly leaseUntil: string;
}

/** What a provider answers besides success. Expected, so returned and not thrown. */
export type ProviderRefusal =
  /** No machine of that kind now: try another product or provider. */
  | { readonly kind: 'noCapacity'; readonly message: string }
  /** Too many requests; not before that many milliseconds. */
  | { readonly kind: 'rateLimited'; readonly retryAfterMs: number; readonly message: string }
  /** Key missing, wrong or without rights, or no credit: a person must act. */
  | { readonly kind: 'unauthorized'; readonly message: string }
  /** The request is wrong and will stay so. */
  | { readonly kind: 'rejected'; readonly message: string }
  /** Unknown outcome (timeout, 5xx, connection): look with `list` before launching again. */
  | { readonly kind: 'unavailable'; readonly message: string };

export type LaunchAnswer =
  { readonly kind: 'launched'; readonly instance: ProviderInstance } | ProviderRefusal;
export type ListAnswer =
  { readonly kind: 'listed'; readonly instances: readonly ProviderInstance[] } | ProviderRefusal;
export type GetAnswer =
  | { readonly kind: 'found'; readonly instance: ProviderInstance }
  | { readonly kind: 'absent' }
  | ProviderRefusal;
export type TerminateAnswer =
  /** `absent`: it was gone already, which is as good. */
  { readonly kind: 'terminated' } | { readonly kind: 'absent' } | ProviderRefusal;
export type LogsAnswer =
  | { readonly kind: 'logs'; readonly lines: readonly string[] }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'absent' }
  | ProviderRefusal;

/** One offer of a provider. */
export interface ProviderProduct {
  readonly id: string;
  readonly name: string;
  /** US dollars an hour. */
  readonly pricePerHour: number | null;
  readonly available: boolean;
}

/** Every method answers in at most 30 s, follows no redirect, and never puts a key into a message. */
export interface WorkerProvider {
  readonly name: ProviderName;
  /**
   * Starts one instance, trying `products` in turn while the answer is `noCapacity`. An instance of that `workerId`
   * that is there already is answered instead of a second one.
   */
  launch(request: LaunchRequest): Promise<LaunchAnswer>;
  get(instanceId: string): Promise<GetAnswer>;
  /** Every instance that this control plane launched in that pool, and no other: by tag, label or name. */
  list(pool: string): Promise<ListAnswer>;
  /** The same of every pool of that stage (`isPoolOfStage`), those among them that nobody configures any more. */
  listStage(stage: string): Promise<ListAnswer>;
  /** Stops and removes it, so that it costs nothing any more. Idempotent. */
  terminate(instanceId: string): Promise<TerminateAnswer>;
  /** The last lines of its container, newest last, each at most 4 KB. */
  logs(instanceId: string, lines: number): Promise<LogsAnswer>;
  /** What it offers, with prices. */
  products(): Promise<
    { readonly kind: 'products'; readonly products: readonly ProviderProduct[] } | ProviderRefusal
  >;
}

/** The name under which providers know a pool. Stages have no dash in their names, so that none begins another. */
export const poolOfStage = (stage: string, name: string): string => `${stage}-${name}`;
export const isPoolOfStage = (stage: string, pool: string): boolean => pool.startsWith(`${stage}-`);
