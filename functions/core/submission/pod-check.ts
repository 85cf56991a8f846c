/** Whether any of the workers would run a workflow, as far as that is known. */
import type { CatalogueStore, Clock, Logger, WorkerStore } from '../ports.ts';
import type { Worker } from '../worker.ts';
import type { Catalogue } from '../workflow/catalogue.ts';
import { checkUploadNames } from '../workflow/file-names.ts';
import { validateForPods } from '../workflow/validate.ts';
import type { Workflow } from '../workflow/workflow.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface PodCheckDependencies {
  readonly workers: WorkerStore;
  readonly catalogues: CatalogueStore;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly logger: Logger;
}

/** Catalogues that are not there by then are not waited for: ComfyUI checks the workflow itself. */
const PATIENCE_MS = 3000;

const isLive = ({ condition }: Worker): boolean => condition === 'ready' || condition === 'draining';

interface KnownCatalogues {
  readonly known: readonly Catalogue[];
  /**
   * False while something is unknown that could run the task: a live worker without catalogue, or no live worker at
   * all, whose image may be a new one.
   */
  readonly isComplete: boolean;
}

const NOTHING: KnownCatalogues = { known: [], isComplete: false };

/** Of all registered workers, for one that sleeps may be woken for this task. */
const readCatalogues = async ({ workers, catalogues }: PodCheckDependencies): Promise<KnownCatalogues> => {
  const all = await workers.list();
  const live = all.filter(isLive);
  const hashes = [...new Set(all.flatMap(({ catalogueHash }) => catalogueHash ?? []))];
  const read = await Promise.all(hashes.map((hash) => catalogues.get(hash)));
  const known = read.filter((catalogue) => catalogue !== undefined);
  const isUnknown = live.length === 0 || live.some(({ catalogueHash }) => catalogueHash === null);
  return { known, isComplete: !isUnknown && known.length === read.length };
};

const soon = async (deps: PodCheckDependencies): Promise<KnownCatalogues> => {
  const patience = new AbortController();
  const giveUp = deps.clock.sleep(PATIENCE_MS, patience.signal).then(() => 'late' as const);
  const reading = readCatalogues(deps);
  try {
    const first = await Promise.race([reading, giveUp]);
    if (first !== 'late') return first;
    deps.logger.warn('task.not-validated', { reason: `the catalogues took more than ${PATIENCE_MS} ms` });
  } catch (error) {
    deps.logger.warn('task.not-validated', { reason: String(error) });
  } finally {
    // Whichever lost may still reject; nobody waits for it.
    giveUp.catch(() => undefined);
    reading.catch(() => undefined);
    patience.abort();
  }
  return NOTHING;
};

/** Undefined when a worker would run it, or may. Whatever is unknown, no input for uploads may name other people's files. */
export const checkPods = async (
  workflow: Workflow,
  deps: PodCheckDependencies,
): Promise<Refusal | undefined> => {
  const { known, isComplete } = await soon(deps);
  const names = checkUploadNames(workflow, known);
  if (names.count > 0) return refuse(400, names.message(), names.toNodeErrors());
  if (!isComplete) return undefined;
  const verdict = validateForPods(workflow, known);
  return verdict.kind === 'ok' ? undefined : refuse(400, verdict.message, verdict.nodeErrors);
};
