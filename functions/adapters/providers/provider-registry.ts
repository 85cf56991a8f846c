/** The providers of each pool, as the pools' configuration names them. */
import { PipelineError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import type { WorkerProvider } from '../../core/providers/worker-provider.ts';
import type { PoolConfig, ProviderEntry } from '../../core/scaling/pool-config.ts';
import type { PoolProviders } from '../../core/scaling/ports.ts';
import type { ReachedProvider } from '../../core/scaling/reached-providers.ts';
import { createDockerProvider } from './docker-provider.ts';
import { createEcsProvider } from './ecs-provider.ts';
import { createNovitaProvider } from './novita-provider.ts';
import type { ProviderSecrets } from './provider-secrets.ts';
import { createRunpodProvider } from './runpod-provider.ts';
import { createStaticProvider } from './static-provider.ts';

export interface RegistryOptions {
  readonly pools: readonly PoolConfig[];
  readonly secrets: ProviderSecrets;
  readonly clock: Clock;
}

type Present<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> };

/** Without the members that are undefined, which an optional property must not be. */
const present = <T extends object>(options: T): Present<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Present<T>;

/**
 * An empty key where there is none to be had: the adapters answer that with `unauthorized`, which calls a person. A
 * secret that cannot be read just now is another matter, and rejects.
 */
const keyOf = (secrets: ProviderSecrets, member: string) => async (): Promise<string> => {
  try {
    return (await secrets())[member] ?? '';
  } catch (error) {
    if (error instanceof PipelineError && !error.retryable) return '';
    throw error;
  }
};

const createProvider = (entry: ProviderEntry, { secrets, clock }: RegistryOptions): WorkerProvider => {
  switch (entry.provider) {
    case 'static':
      return createStaticProvider();
    case 'docker': {
      const { products, ...options } = entry.options;
      const places = products?.map((product) => present(product));
      return createDockerProvider({ ...present({ ...options, products: places }), clock });
    }
    case 'ecs': {
      const { products, ...options } = entry.options;
      const definitions = products.map((product) => present(product));
      return createEcsProvider({ ...present(options), products: definitions, clock });
    }
    case 'novita': {
      const { apiKeySecret, ...options } = entry.options;
      return createNovitaProvider({ ...present(options), apiKey: keyOf(secrets, apiKeySecret), clock });
    }
    case 'runpod': {
      const { apiKeySecret, ...options } = entry.options;
      return createRunpodProvider({ ...present(options), apiKey: keyOf(secrets, apiKeySecret), clock });
    }
  }
};

/** Makes each provider once; no provider and no secret is asked before its first call. */
export const createProviderRegistry = (options: RegistryOptions): PoolProviders =>
  new Map(
    options.pools.map(({ name, providers }) => [
      name,
      new Map(providers.map((entry) => [entry.id, createProvider(entry, options)])),
    ]),
  );

const reach = (
  reached: ReachedProvider,
  { secrets, clock }: Pick<RegistryOptions, 'secrets' | 'clock'>,
): WorkerProvider => {
  switch (reached.provider) {
    case 'docker':
      return createDockerProvider({ ...present({ host: reached.host }), clock });
    case 'ecs':
      return createEcsProvider({ cluster: reached.cluster, products: [], clock });
    case 'novita':
      return createNovitaProvider({
        ...present({ baseUrl: reached.baseUrl }),
        apiKey: keyOf(secrets, reached.apiKeySecret),
        clock,
      });
    case 'runpod':
      return createRunpodProvider({
        ...present({ baseUrl: reached.baseUrl }),
        apiKey: keyOf(secrets, reached.apiKeySecret),
        clock,
      });
  }
};

/** Providers that list and end, and have nothing to launch. Asks nobody before the first call. */
export const createReachedProviders = (
  reached: ReadonlyMap<string, ReachedProvider>,
  options: Pick<RegistryOptions, 'secrets' | 'clock'>,
): ReadonlyMap<string, WorkerProvider> =>
  new Map([...reached].map(([id, each]) => [id, reach(each, options)]));
