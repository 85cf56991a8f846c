/** Pools, instances and workers of scaling; a test names what matters to it. */
import type { Worker } from '../../worker.ts';
import { readPools, type PoolConfig } from '../pool-config.ts';
import type { Instance } from '../ports.ts';

const START = '2026-11-22T10:00:00.000Z';

/** One entry of the provider Novita, as it is written in the configuration. */
export const novitaEntry = (overrides: Readonly<Record<string, unknown>> = {}) => ({
  provider: 'novita',
  image: 'comfyui:1',
  products: ['4090'],
  maxPricePerHour: 0.5,
  ...overrides,
});

/** Read as any configuration is; throws what is wrong with it. */
export const makePool = (overrides: Readonly<Record<string, unknown>> = {}): PoolConfig => {
  const raw = [
    { name: 'gpu', providers: [novitaEntry()], min: 0, max: 4, budgetUsdPerDay: null, ...overrides },
  ];
  const reading = readPools(JSON.stringify(raw));
  if (reading.kind === 'invalid') throw new Error(reading.problems.join('\n'));
  const [pool] = reading.pools;
  if (pool === undefined) throw new Error('no pool');
  return pool;
};

export const makeInstance = (overrides: Partial<Instance> = {}): Instance => ({
  pool: 'gpu',
  workerId: 'gpu-1',
  providerId: 'novita',
  provider: 'novita',
  image: 'comfyui:1',
  instanceId: 'i-1',
  condition: 'live',
  createdAt: START,
  launchedAt: START,
  announcedAt: null,
  leaseUntil: '2026-11-22T14:00:00.000Z',
  pricePerHour: 0.5,
  address: null,
  catalogueHash: null,
  idleSince: null,
  busyShare: 1,
  unwellSince: null,
  drainingSince: null,
  endReason: null,
  endedAt: null,
  ...overrides,
});

export const makeWorker = (overrides: Partial<Worker> = {}): Worker => ({
  workerId: 'gpu-1',
  clientId: 'monitor-gpu-1',
  endpoint: 'http://10.0.3.17:8188',
  condition: 'ready',
  held: [],
  lastAssignedAt: null,
  bootId: 'boot-1',
  monitorSequence: 1,
  comfyuiVersion: '0.3.64',
  registeredAt: START,
  lastSeenAt: START,
  avoidUntil: null,
  quarantined: false,
  tags: ['pool:gpu'],
  catalogueHash: null,
  ...overrides,
});
