/**
 * The providers where instances of this stage may be: `WORKER_PROVIDERS`, a JSON list, and those of the pools. A
 * provider stays in the list when its last pool goes, so that the reaper goes on reaching what was launched there.
 */
import * as z from 'zod';
import {
  DEFAULT_KEY,
  launchEntries,
  linesOf,
  parseJson,
  readPools,
  text,
  url,
  type LaunchEntry,
  type PoolConfig,
} from './pool-config.ts';

/** What it takes to list and to end instances there, and nothing of what it takes to launch one. */
const reachedSchema = z.discriminatedUnion(
  'provider',
  [
    z.strictObject({
      provider: z.literal('novita'),
      baseUrl: url.optional(),
      apiKeySecret: text.default(DEFAULT_KEY.novita),
    }),
    z.strictObject({
      provider: z.literal('runpod'),
      baseUrl: url.optional(),
      apiKeySecret: text.default(DEFAULT_KEY.runpod),
    }),
    z.strictObject({ provider: z.literal('ecs'), cluster: text }),
    z.strictObject({ provider: z.literal('docker'), host: text.optional() }),
  ],
  'must be one of docker, ecs, novita, runpod',
);
const listSchema = z.array(reachedSchema, 'must be a JSON list of providers');

export type ReachedProvider = z.infer<typeof reachedSchema>;

/** Of an entry of a pool. */
const reachedOf = (entry: LaunchEntry): ReachedProvider => {
  switch (entry.provider) {
    case 'ecs':
      return { provider: 'ecs', cluster: entry.options.cluster };
    case 'docker':
      return { provider: 'docker', host: entry.options.host };
    case 'novita':
    case 'runpod': {
      const { baseUrl, apiKeySecret } = entry.options;
      return { provider: entry.provider, baseUrl, apiKeySecret };
    }
  }
};

/** One word for one way to reach instances: `novita`, `ecs/gpus`. What is the default is left out. */
export const reachedId = (reached: ReachedProvider): string => {
  switch (reached.provider) {
    case 'ecs':
      return `ecs/${reached.cluster}`;
    case 'docker':
      return ['docker', reached.host ?? []].flat().join('/');
    case 'novita':
    case 'runpod': {
      const { provider, baseUrl = [], apiKeySecret } = reached;
      const key = apiKeySecret === DEFAULT_KEY[provider] ? [] : apiKeySecret;
      return [provider, baseUrl, key].flat().join('/');
    }
  }
};

export interface ProvidersReading {
  /** By `reachedId`, each once. */
  readonly reached: ReadonlyMap<string, ReachedProvider>;
  /** One line each, naming the field. */
  readonly problems: readonly string[];
}

const poolsOf = (
  raw: string,
): { readonly pools: readonly PoolConfig[]; readonly problems: readonly string[] } => {
  const reading = readPools(raw);
  return reading.kind === 'ok'
    ? { pools: reading.pools, problems: [] }
    : { pools: [], problems: reading.problems };
};

const listedOf = (raw: string) => {
  if (raw.trim() === '') return { listed: [], problems: [] };
  const read = listSchema.safeParse(parseJson(raw));
  return read.success
    ? { listed: read.data, problems: [] }
    : { listed: [], problems: linesOf(read.error, 'WORKER_PROVIDERS') };
};

/**
 * Reads both. What is wrong in one is told and does not hide the other: leases end although a pool is misspelt.
 * @param raw `WORKER_POOLS` and `WORKER_PROVIDERS`
 */
export const readReached = (raw: {
  readonly pools: string;
  readonly providers: string;
}): ProvidersReading => {
  const { pools, problems: ofPools } = poolsOf(raw.pools);
  const { listed, problems: ofList } = listedOf(raw.providers);
  const all = [...listed, ...pools.flatMap(launchEntries).map(reachedOf)];
  return {
    reached: new Map(all.map((reached) => [reachedId(reached), reached])),
    problems: [...ofPools, ...ofList],
  };
};

/** As it is written in the list. */
const writtenOf = (reached: ReachedProvider): string => {
  const entries = Object.entries(reached).filter(
    ([name, value]) =>
      value !== undefined &&
      !(name === 'apiKeySecret' && value === DEFAULT_KEY[reached.provider as 'novita']),
  );
  return `{ ${entries.map(([name, value]) => `${name}: '${String(value)}'`).join(', ')} }`;
};

/**
 * What is wrong with the pools and the providers of a stage, one line each, for its synthesis: both read, and each
 * provider of a pool is in the list, where it stays when the pool is taken out.
 */
export const stageProblems = (raw: {
  readonly pools: string;
  readonly providers: string;
}): readonly string[] => {
  const { pools, problems: ofPools } = poolsOf(raw.pools);
  const { listed, problems: ofList } = listedOf(raw.providers);
  const known = new Set(listed.map(reachedId));
  const missing = pools.flatMap((pool, at) =>
    pool.providers.flatMap((entry, index) => {
      if (entry.provider === 'static' || known.has(reachedId(reachedOf(entry)))) return [];
      const place = `WORKER_POOLS[${at}].providers[${index}]`;
      return [
        `${place}: add ${writtenOf(reachedOf(entry))} to workerProviders, and leave it there when the pool goes: the reaper ends what was launched`,
      ];
    }),
  );
  return [...ofPools, ...ofList, ...(ofList.length === 0 ? missing : [])];
};
