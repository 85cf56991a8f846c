/** Which models a job has loaded, as one short text: two jobs with the same find each other's models on a worker. */
import { createHash } from 'node:crypto';
import type { JobNeeds } from '../job.ts';

/** 16 hexadecimal digits. `models` are sorted already. */
export const modelsKey = ({ models }: Pick<JobNeeds, 'models'>): string =>
  createHash('sha256').update(JSON.stringify(models)).digest('hex').slice(0, 16);
