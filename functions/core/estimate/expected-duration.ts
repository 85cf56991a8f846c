/** What a task that waits is expected to take once a worker has it, by what its workflow took before. */
import type { Job } from '../job.ts';
import type { WorkflowStore } from '../ports.ts';
import type { Worker } from '../worker.ts';
import { expectedTotal } from './expectations.ts';
import { readHistory, shapeOfText, type ExpectDependencies } from './expect-prompt.ts';
import { modelsKey } from './models-key.ts';
import { UNKNOWN_KIND } from './worker-kind.ts';
import type { WorkflowShape } from './workflow-shape.ts';

/**
 * Milliseconds on those workers, the loading of its models included where none of them has just had them; undefined
 * when nothing is known. Rejects when a store does.
 */
export type ExpectedDuration = (job: Job, workers: readonly Worker[]) => Promise<number | undefined>;

/** Shapes of the tasks that were asked for last: whoever waits asks again and again. */
const MAX_SHAPES = 50;

export const createExpectedDuration = (
  deps: ExpectDependencies & { readonly workflows: Pick<WorkflowStore, 'get'> },
): ExpectedDuration => {
  const shapes = new Map<string, WorkflowShape | undefined>();
  const shapeOfJob = async (jobId: string): Promise<WorkflowShape | undefined> => {
    if (shapes.has(jobId)) return shapes.get(jobId);
    const text = await deps.workflows.get(jobId);
    const shape = text === undefined ? undefined : shapeOfText(text);
    const [oldest] = shapes.size >= MAX_SHAPES ? shapes.keys() : [];
    if (oldest !== undefined) shapes.delete(oldest);
    shapes.set(jobId, shape);
    return shape;
  };
  return async (job, workers) => {
    const [first] = workers;
    const shape = first === undefined ? undefined : await shapeOfJob(job.jobId);
    if (first === undefined || shape === undefined) return undefined;
    const key = modelsKey(job.needs);
    const warm = workers.find(({ lastModels }) => lastModels === key);
    const history = await readHistory(shape, (warm ?? first).kind ?? UNKNOWN_KIND, deps);
    const needsLoad = job.needs.models.length > 0 && warm === undefined;
    return expectedTotal(shape, needsLoad ? 'cold' : 'warm', history);
  };
};
