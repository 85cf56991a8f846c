/** The pools of workers that are scaled: `WORKER_POOLS`, a JSON list. */
import * as z from 'zod';

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?$/;
/** As monitors and the task API have them. */
const TAG = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Each instance is told these by us. */
const OURS: readonly string[] = ['WORKER_ID', 'WORKER_TAGS', 'EVENTBRIDGE_BUS_NAME', 'AWS_REGION'];

export const text = z.string('is missing, or no text').trim().min(1, 'must not be empty');
const whole = (min: number, max: number) =>
  z.int('must be a whole number').min(min, `must be at least ${min}`).max(max, `must be at most ${max}`);
const price = z.number().min(0, 'must be at least 0').max(1000, 'must be at most 1000');
const name = z
  .string('is missing, or no text')
  .regex(NAME, 'must be 1–30 of a–z, 0–9 and dash, with no dash at either end');
const variable = z
  .string()
  .regex(VARIABLE, 'must be a name of an environment variable')
  .refine((key) => !OURS.includes(key), 'is set by the control plane');

/** Members of the provider secret, where a configuration names no other. */
export const DEFAULT_KEY = { novita: 'novitaApiKey', runpod: 'runpodApiKey' } as const;

const launchable = {
  /** Needed where a pool has the same provider twice; the provider's name otherwise. */
  id: name.optional(),
  /** ComfyUI and its monitor. */
  image: text,
  /** In the provider's words, best first. */
  products: z.array(text, 'must be a list of texts').min(1, 'must name at least one product'),
  gpuCount: whole(0, 64).default(1),
  diskGb: whole(1, 10_000).default(50),
  /** Of ComfyUI, in the container. */
  port: whole(1, 65_535).default(8188),
  environment: z.record(variable, z.string()).default({}),
  /** Variable → member of the provider secret. */
  secretEnvironment: z.record(variable, text).default({}),
};

/** The budget counts with it until the provider has told its price; what costs more is terminated at once. */
const maxPricePerHour = z
  .number('is needed: US dollars an hour that one instance may cost at most')
  .min(0, 'must be at least 0')
  .max(1000, 'must be at most 1000');

const dockerProduct = z.strictObject({
  id: text,
  name: text.optional(),
  deviceIds: z.array(text).optional(),
  slots: whole(1, 1000).optional(),
  pricePerHour: price.optional(),
});

const ecsProduct = z.strictObject({
  id: text,
  name: text.optional(),
  taskDefinition: text,
  containerName: text,
  capacityProvider: text.optional(),
  launchType: z.enum(['EC2', 'FARGATE', 'EXTERNAL']).optional(),
  pricePerHour: price.optional(),
});

export const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

const entrySchema = z.discriminatedUnion(
  'provider',
  [
    z.strictObject({ provider: z.literal('static'), id: name.optional() }),
    z.strictObject({
      ...launchable,
      provider: z.literal('docker'),
      maxPricePerHour: maxPricePerHour.default(0),
      options: z
        .strictObject({
          /** `unix:///var/run/docker.sock` by default. */
          host: text.optional(),
          products: z.array(dockerProduct).optional(),
          stopSeconds: whole(0, 15).optional(),
        })
        .default({}),
    }),
    z.strictObject({
      ...launchable,
      provider: z.literal('ecs'),
      maxPricePerHour,
      options: z.strictObject({
        cluster: text,
        subnets: z.array(text).optional(),
        securityGroups: z.array(text).optional(),
        assignPublicIp: z.boolean().optional(),
        products: z.array(ecsProduct).min(1, 'must define at least one product'),
      }),
    }),
    z.strictObject({
      ...launchable,
      provider: z.literal('novita'),
      maxPricePerHour,
      options: z
        .strictObject({
          baseUrl: url.optional(),
          clusterId: text.optional(),
          imageAuthId: text.optional(),
          /** Member of the provider secret. */
          apiKeySecret: text.default(DEFAULT_KEY.novita),
        })
        .default({ apiKeySecret: DEFAULT_KEY.novita }),
    }),
    z.strictObject({
      ...launchable,
      provider: z.literal('runpod'),
      maxPricePerHour,
      options: z
        .strictObject({
          baseUrl: url.optional(),
          graphqlUrl: url.optional(),
          cloudType: z.enum(['SECURE', 'COMMUNITY']).optional(),
          containerRegistryAuthId: text.optional(),
          /** Member of the provider secret. */
          apiKeySecret: text.default(DEFAULT_KEY.runpod),
        })
        .default({ apiKeySecret: DEFAULT_KEY.runpod }),
    }),
  ],
  'must be one of static, docker, ecs, novita, runpod',
);

/** Of a pool that names no budget and has a provider that costs: what nobody thought about must not cost much. */
export const DEFAULT_BUDGET_USD_PER_DAY = 25;

interface Priced {
  readonly providers: readonly { readonly provider: string; readonly maxPricePerHour?: number }[];
}

const pricesOf = ({ providers }: Priced): readonly number[] =>
  providers.flatMap((entry) => entry.maxPricePerHour ?? []);

const defaultBudgetOf = (pool: Priced): number | null =>
  pricesOf(pool).some((each) => each > 0) ? DEFAULT_BUDGET_USD_PER_DAY : null;

/** US dollars of one lease at the cheapest provider: with less than that a day nothing would ever be launched. */
const leastLeaseUsd = (pool: Priced & { readonly leaseMinutes: number }): number => {
  const prices = pricesOf(pool);
  return prices.length === 0 ? 0 : (Math.min(...prices) * Math.min(pool.leaseMinutes, 24 * 60)) / 60;
};

const poolSchema = z
  .strictObject({
    name,
    /** In order of preference. */
    providers: z
      .array(
        entrySchema.transform((entry) => ({ ...entry, id: entry.id ?? entry.provider })),
        'must be a list of providers',
      )
      .min(1, 'must have at least one provider'),
    /** What its workers are tagged with, beside `pool:<name>` and `provider:<name>`. */
    tags: z
      .array(z.string().regex(TAG, 'must be a tag of letters, digits and . _ : / -, at most 64'))
      .max(14, 'must be at most 14 tags')
      .default([]),
    min: whole(0, 1000).default(0),
    max: whole(0, 1000),
    /** How long the last of the waiting tasks may wait for its worker. */
    targetWaitSeconds: whole(1, 86_400).default(120),
    /** From one launch to the next. */
    cooldownUpSeconds: whole(0, 86_400).default(60),
    /** From a launch or a scale-down to the next scale-down. */
    cooldownDownSeconds: whole(0, 86_400).default(120),
    /** Without work for so long, an instance may go. */
    idleSeconds: whole(0, 86_400).default(300),
    /** A drained worker stays so long after its last task: its files are being copied from it. */
    settleSeconds: whole(0, 1200).default(180),
    leaseMinutes: whole(5, 10_080).default(240),
    /** Before the end of its lease a worker is given nothing new. */
    drainMinutes: whole(0, 1440).default(20),
    /** An instance whose worker has not announced itself by then is replaced. */
    bootMinutes: whole(1, 120).default(15),
    maxLaunchesPerPass: whole(1, 100).default(2),
    /** US dollars a day (UTC) that launches may commit; null for no limit, which has to be written. */
    budgetUsdPerDay: z.number().min(0, 'must be at least 0').nullable().optional(),
    /** Of a task, where nothing is known of its user. */
    expectedJobSeconds: whole(1, 86_400).default(60),
  })
  .superRefine((pool, context) => {
    const problem = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    if (pool.min > pool.max) problem(['min'], `must be at most max (${pool.max})`);
    if (pool.bootMinutes + pool.drainMinutes >= pool.leaseMinutes)
      problem(['leaseMinutes'], 'must be more than bootMinutes and drainMinutes together');
    pool.providers.forEach((entry, at) => {
      const first = pool.providers.findIndex(({ id }) => id === entry.id);
      if (first !== at) problem(['providers', at, 'id'], `must not be that of providers[${first}]`);
      if (entry.provider !== 'ecs') return;
      const known = entry.options.products.map(({ id }) => id);
      entry.products.forEach((product, index) => {
        if (!known.includes(product))
          problem(['providers', at, 'products', index], 'must be an id of options.products');
      });
    });
    if (pool.budgetUsdPerDay === undefined && leastLeaseUsd(pool) > DEFAULT_BUDGET_USD_PER_DAY)
      problem(
        ['budgetUsdPerDay'],
        `is needed, in US dollars or null for no limit: one lease costs more than the default of ${DEFAULT_BUDGET_USD_PER_DAY}`,
      );
  })
  .transform((pool) => ({
    ...pool,
    budgetUsdPerDay: pool.budgetUsdPerDay === undefined ? defaultBudgetOf(pool) : pool.budgetUsdPerDay,
  }));

const poolsSchema = z.array(poolSchema, 'must be a JSON list of pools').superRefine((pools, context) => {
  pools.forEach(({ name: own }, at) => {
    const first = pools.findIndex((pool) => pool.name === own);
    if (first !== at)
      context.addIssue({ code: 'custom', path: [at, 'name'], message: `must not be that of [${first}]` });
  });
});

export type PoolConfig = z.infer<typeof poolSchema>;
export type ProviderEntry = PoolConfig['providers'][number];
/** An entry that can launch. */
export type LaunchEntry = Exclude<ProviderEntry, { readonly provider: 'static' }>;

export const launchEntries = ({ providers }: PoolConfig): readonly LaunchEntry[] =>
  providers.filter((entry): entry is LaunchEntry => entry.provider !== 'static');

export type PoolsReading =
  | { readonly kind: 'ok'; readonly pools: readonly PoolConfig[] }
  /** One line a problem, naming the field: `WORKER_POOLS[0].providers[1].image: must not be empty`. */
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

const placeOf = (path: readonly PropertyKey[], root: string): string =>
  path.reduce<string>(
    (place, key) => (typeof key === 'number' ? `${place}[${key}]` : `${place}.${String(key)}`),
    root,
  );

/** One line a problem. @param root what the whole is called */
export const linesOf = ({ issues }: z.ZodError, root: string): readonly string[] =>
  issues.map(({ path, message }) => `${placeOf(path, root)}: ${message}`);

/** Undefined for what is no JSON. */
export const parseJson = (raw: string): unknown => {
  try {
    return JSON.parse(raw) as unknown;
  } catch {
    return undefined;
  }
};

/** Reads `WORKER_POOLS`; an empty text is no pool. Never throws, and tells everything that is wrong at once. */
export const readPools = (raw: string): PoolsReading => {
  if (raw.trim() === '') return { kind: 'ok', pools: [] };
  const read = poolsSchema.safeParse(parseJson(raw));
  return read.success
    ? { kind: 'ok', pools: read.data }
    : { kind: 'invalid', problems: linesOf(read.error, 'WORKER_POOLS') };
};

/** The tags of a worker of that pool, at that provider. */
export const tagsOf = (
  pool: PoolConfig,
  { provider }: Pick<ProviderEntry, 'provider'>,
): readonly string[] => [...new Set([...pool.tags, `pool:${pool.name}`, `provider:${provider}`])];

/** Tags that every worker of the pool has, wherever it is launched. */
export const commonTags = (pool: PoolConfig): ReadonlySet<string> => {
  const [first, ...others] = launchEntries(pool).map((entry) => tagsOf(pool, entry));
  return new Set((first ?? []).filter((tag) => others.every((tags) => tags.includes(tag))));
};
