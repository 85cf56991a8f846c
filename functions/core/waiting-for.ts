/** Why a pending task is not given to a worker, where it is not just its turn that has not come. */
import type { Job, JobNeeds } from './job.ts';
import type { CatalogueStore, Logger, QueueEntry, Shares, UserShare } from './ports.ts';
import type { Worker } from './worker.ts';
import { modelsOf, type Catalogue } from './workflow/catalogue.ts';
import { missingOf, type WorkerOffer } from './workflow/needs.ts';
import { oneLine, someOf } from './workflow/one-line.ts';

export interface WaitingDependencies {
  /** What workers can run; without it, what they lack is not told. */
  readonly catalogues?: CatalogueStore;
  /** Attempts of one user that workers may hold at once; without it, the limit is not told. */
  readonly maxRunningPerUser?: number;
  readonly logger?: Logger;
}

export interface WaitingScene {
  readonly shares: Shares;
  readonly own: UserShare;
  readonly entry: QueueEntry;
  /** All that are registered. */
  readonly workers: readonly Worker[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Different catalogues that are looked into. */
const MAX_CATALOGUES = 20;
const ROOM = 160;

const isReady = ({ condition, quarantined }: Worker): boolean => condition === 'ready' && !quarantined;

export const hasTags = ({ tags }: Pick<Worker, 'tags'>, { tags: wanted }: JobNeeds): boolean =>
  wanted.every((tag) => tags.includes(tag));

const list = (items: readonly string[]): string => someOf(items, (item) => item, ROOM);

/** Undefined when a worker that is ready has the tags, or when none are wanted and one is ready. */
const lackOfWorkers = ({ needs }: Job, workers: readonly Worker[]): string | undefined => {
  const ready = workers.filter(isReady);
  if (ready.some((worker) => hasTags(worker, needs))) return undefined;
  const { tags } = needs;
  if (tags.length === 0) return 'no worker is ready';
  if (workers.some((worker) => hasTags(worker, needs))) {
    return `no worker with the tags ${list(tags)} is ready`;
  }
  const lacking = tags.filter((tag) => !workers.some((worker) => worker.tags.includes(tag)));
  return lacking.length > 0
    ? `no worker has the tags ${list(lacking)}`
    : `no worker has all of the tags ${list(tags)}`;
};

/** The store answers the same object for the same hash, and its models take a while to find. */
const offers = new WeakMap<Catalogue, WorkerOffer>();

const offerOf = (catalogue: Catalogue): WorkerOffer => {
  const known = offers.get(catalogue);
  if (known !== undefined) return known;
  const offer = { classes: new Set(Object.keys(catalogue.classes)), models: new Set(modelsOf(catalogue)) };
  offers.set(catalogue, offer);
  return offer;
};

/** Undefined while it is unknown of one of them, which may then be given anything. */
const readOffers = async (
  workers: readonly Worker[],
  { catalogues, logger }: WaitingDependencies,
): Promise<readonly WorkerOffer[] | undefined> => {
  const hashes = [...new Set(workers.map(({ catalogueHash }) => catalogueHash))];
  if (catalogues === undefined || hashes.includes(null) || hashes.length > MAX_CATALOGUES) return undefined;
  try {
    const read = await Promise.all(hashes.map((hash) => catalogues.get(hash ?? '')));
    const known = read.filter((catalogue) => catalogue !== undefined);
    return known.length < read.length ? undefined : known.map(offerOf);
  } catch (error) {
    logger?.warn('task.catalogue-unread', { reason: String(error) });
    return undefined;
  }
};

/** What none of the workers with its tags has; undefined when one can run it, or may. */
const lackOfNodes = async (
  { needs }: Job,
  workers: readonly Worker[],
  deps: WaitingDependencies,
): Promise<string | undefined> => {
  const fit = workers.filter((worker) => isReady(worker) && hasTags(worker, needs));
  const read = await readOffers(fit, deps);
  const [first, ...others] = (read ?? []).map((offer) => missingOf(needs, offer));
  if (first === undefined || [first, ...others].some(({ length }) => length === 0)) return undefined;
  const nowhere = first.filter((thing) => others.every((lacks) => lacks.includes(thing)));
  return nowhere.length > 0
    ? `no worker has the ${list(nowhere)}`
    : 'no worker has all of its models and node classes';
};

/** One line, what it would take longest to change first; undefined when nothing keeps the task but those before it. */
export const waitingFor = async (
  job: Job,
  { shares, own, entry, workers, now }: WaitingScene,
  deps: WaitingDependencies,
): Promise<string | undefined> => {
  if (shares.paused) return 'the queue is paused';
  if (own.paused) return 'your queue is paused';
  const lack = lackOfWorkers(job, workers) ?? (await lackOfNodes(job, workers, deps));
  if (lack !== undefined) return oneLine(lack);
  const { maxRunningPerUser: limit } = deps;
  if (limit !== undefined && own.active.length >= limit) return `your limit of ${limit} running tasks`;
  const { notBefore } = entry;
  const isDelayed = notBefore !== null && Date.parse(notBefore) > now;
  return isDelayed ? `its next attempt, not before ${notBefore}` : undefined;
};
