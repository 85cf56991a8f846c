/** What a worker can run is read from its ComfyUI, once a boot. */
import type { CatalogueStore, Clock, ComfyUi, Logger, WorkerStore } from './ports.ts';
import type { Worker } from './worker.ts';
import { catalogueHash, digestObjectInfo } from './workflow/catalogue.ts';

export interface LearnDependencies {
  readonly workers: WorkerStore;
  readonly comfyUi: ComfyUi;
  readonly catalogues: CatalogueStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A ComfyUI that has just started may take a while to answer; milliseconds before each further try. */
const WAITS_MS = [1000, 2000, 4000, 8000] as const;

const readObjectInfo = async (
  endpoint: string,
  { comfyUi, clock }: LearnDependencies,
): Promise<Awaited<ReturnType<ComfyUi['objectInfo']>>> => {
  let answer = await comfyUi.objectInfo(endpoint);
  for (const wait of WAITS_MS) {
    if (answer.kind === 'found') break;
    await clock.sleep(wait);
    answer = await comfyUi.objectInfo(endpoint);
  }
  return answer;
};

const learn = async (worker: Worker, deps: LearnDependencies): Promise<string | undefined> => {
  const answer = await readObjectInfo(worker.endpoint, deps);
  if (answer.kind === 'unavailable') return answer.message;
  const reading = digestObjectInfo(answer.text);
  if (reading.kind === 'invalid') return reading.message;
  const hash = catalogueHash(reading.catalogue);
  await deps.catalogues.put(hash, reading.catalogue);
  await deps.workers.setCatalogue(worker.workerId, hash);
  const classes = Object.keys(reading.catalogue.classes).length;
  deps.logger.info('catalogue.learnt', { workerId: worker.workerId, hash, classes });
  return undefined;
};

/**
 * Reads, stores and notes the catalogue of a worker. Never rejects: a worker of which nothing is known may be given
 * anything, and that is better than none.
 */
export const learnCatalogue = async (worker: Worker, deps: LearnDependencies): Promise<void> => {
  const reason = await learn(worker, deps).catch((error: unknown) => String(error));
  if (reason !== undefined) deps.logger.warn('catalogue.unknown', { workerId: worker.workerId, reason });
};
