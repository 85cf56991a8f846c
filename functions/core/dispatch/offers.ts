/** What each worker can run, from the catalogue of its ComfyUI. */
import type { Worker } from '../worker.ts';
import { modelsOf, type Catalogue } from '../workflow/catalogue.ts';
import type { WorkerOffer } from '../workflow/needs.ts';
import type { DispatchDependencies } from './ports.ts';

/** Catalogue hash → offer. A hash that is missing here is unknown, which means anything. */
export type Offers = ReadonlyMap<string, WorkerOffer>;

/** The store answers the same object for the same hash, and its models take a while to find. */
const known = new WeakMap<Catalogue, WorkerOffer>();

const offerOf = (catalogue: Catalogue): WorkerOffer => {
  const found = known.get(catalogue);
  if (found !== undefined) return found;
  const offer = {
    classes: new Set(Object.keys(catalogue.classes)),
    models: new Set(modelsOf(catalogue)),
  };
  known.set(catalogue, offer);
  return offer;
};

/** A catalogue that cannot be read keeps nobody waiting: its worker may be given anything. */
const readOffer = async (
  hash: string,
  { catalogues, logger }: DispatchDependencies,
): Promise<readonly (readonly [string, WorkerOffer])[]> => {
  try {
    const catalogue = await catalogues.get(hash);
    return catalogue === undefined ? [] : [[hash, offerOf(catalogue)]];
  } catch (error) {
    logger.warn('dispatch.catalogue-unread', { hash, reason: String(error) });
    return [];
  }
};

/** Reads each catalogue of these workers once. */
export const readOffers = async (workers: readonly Worker[], deps: DispatchDependencies): Promise<Offers> => {
  const hashes = new Set(workers.flatMap(({ catalogueHash }) => catalogueHash ?? []));
  const read = await Promise.all([...hashes].map((hash) => readOffer(hash, deps)));
  return new Map(read.flat());
};
