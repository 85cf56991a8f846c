/** What the contract of the providers needs of a fake, and what it makes of it. */
import type { Clock } from '../../core/ports.ts';
import type {
  LaunchRequest,
  ProviderInstance,
  WorkerProvider,
} from '../../core/providers/worker-provider.ts';
import type { FaultyServer } from './provider-contract-server.ts';

/** The provider as it would be found: what was made, what it costs, and who else lives there. */
export interface ProviderFake {
  readonly server: FaultyServer;
  /** Two products of which each has room for many. */
  readonly products: readonly [string, string];
  /** The keys that the provider under test was given. */
  readonly secrets: readonly string[];
  /** No more room for these, until told otherwise. */
  sellOut(products: readonly string[]): void;
  /** Ids of all that is there and costs, ours or not. */
  running(): readonly string[];
  environmentOf(instanceId: string): Readonly<Record<string, string>>;
  /** Makes an instance that someone else made by hand, running, without our marks; its id. */
  addForeign(): string;
  /** Whatever is starting runs; whatever is stopping is stopped. */
  settle(): void;
  /** Makes these the log of its container; only where the provider has logs. */
  writeLog?(instanceId: string, lines: readonly string[]): void;
}

/** Time that stands still. Sleeps end when `elapse` says so. */
export interface ContractClock extends Clock {
  /** Every sleep that is going on is over. */
  elapse(): void;
}

export interface ProviderFixture {
  readonly provider: WorkerProvider;
  readonly fake: ProviderFake;
  stop(): Promise<void>;
}

export interface ProviderTraits {
  readonly logs: 'lines' | 'unsupported';
  /** Whether `products` asks the provider, or knows by itself. */
  readonly products: 'remote' | 'local';
  /** Whether a running instance has an address. */
  readonly address: boolean;
}

export const createContractClock = (): ContractClock => {
  const sleepers = new Set<() => void>();
  return {
    now: () => Date.parse('2026-11-22T10:00:00.000Z'),
    elapse: () => {
      for (const wake of sleepers) wake();
    },
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        const leave = (then: () => void) => (): void => {
          sleepers.delete(wake);
          then();
        };
        const wake = leave(resolve);
        signal?.addEventListener(
          'abort',
          leave(() => reject(new Error('aborted'))),
          { once: true },
        );
        if (signal?.aborted === true) return reject(new Error('aborted'));
        sleepers.add(wake);
      }),
  };
};

export const LEASE = '2026-11-22T12:00:00.000Z';
export const ENVIRONMENT_SECRET = 'env secret/"value"+123';
const PATIENCE_MS = 60_000;

/** Waits for a condition, with patience for a slow machine. */
export const until = async (condition: () => boolean): Promise<void> => {
  const end = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition never came true');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

export const launchRequest = (
  fake: Pick<ProviderFake, 'products'>,
  changes: Partial<LaunchRequest> = {},
): LaunchRequest => ({
  pool: 'pool-a',
  workerId: 'worker-1',
  image: 'registry.example/comfyui:1',
  environment: { EVENT_BUS_NAME: 'bus', API_TOKEN: ENVIRONMENT_SECRET },
  port: 8188,
  products: fake.products,
  gpuCount: 1,
  diskGb: 40,
  leaseUntil: LEASE,
  ...changes,
});

/** One provider on one fake, made anew for each test. */
export interface ContractWorld {
  readonly provider: WorkerProvider;
  readonly fake: ProviderFake;
  readonly clock: ContractClock;
  /** Launches, and fails the test when that fails. */
  launched(changes?: Partial<LaunchRequest>): Promise<ProviderInstance>;
  listed(pool?: string): Promise<readonly ProviderInstance[]>;
}

export const createWorld = ({ provider, fake }: ProviderFixture, clock: ContractClock): ContractWorld => ({
  provider,
  fake,
  clock,
  launched: async (changes = {}) => {
    const answer = await provider.launch(launchRequest(fake, changes));
    if (answer.kind !== 'launched') throw new Error(`not launched: ${JSON.stringify(answer)}`);
    return answer.instance;
  },
  listed: async (pool = 'pool-a') => {
    const answer = await provider.list(pool);
    if (answer.kind !== 'listed') throw new Error(`not listed: ${JSON.stringify(answer)}`);
    return answer.instances;
  },
});
