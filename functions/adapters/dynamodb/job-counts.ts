/** Jobs by status. */
import type { JobStatus } from '../../../shared-types/index.ts';

/** Every status, none of them met yet. */
export const noCounts = (): Record<JobStatus, number> => ({
  pending: 0,
  assigned: 0,
  running: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
});
