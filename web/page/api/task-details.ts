/** Tasks in full, a few requests at a time: the gallery asks for many at once. */
import type { PipelineApi } from './pipeline-api.ts';
import type { TaskDetails } from './read-answers.ts';

export interface TaskDetailsCache {
  /** Of an ended task, asked for once. */
  get(id: string): Promise<TaskDetails>;
}

const AT_ONCE = 4;
const MAX_KEPT = 500;

export const createTaskDetailsCache = (api: Pick<PipelineApi, 'getTask'>): TaskDetailsCache => {
  const kept = new Map<string, Promise<TaskDetails>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  const turn = (): Promise<void> =>
    new Promise((resolve) => {
      const begin = (): void => {
        running += 1;
        resolve();
      };
      if (running < AT_ONCE) begin();
      else waiting.push(begin);
    });

  const load = async (id: string): Promise<TaskDetails> => {
    await turn();
    try {
      return await api.getTask(id);
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };

  return {
    get(id) {
      const known = kept.get(id);
      if (known !== undefined) return known;
      const loading = load(id);
      kept.set(id, loading);
      // What failed is asked for again the next time.
      loading.catch(() => kept.delete(id));
      const oldest = kept.keys().next().value;
      if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
      return loading;
    },
  };
};
