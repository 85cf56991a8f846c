/** Which workers answer 5xx to whatever they are given. One workflow that does it is suspect, three are not. */

const MAX_JOBS = 3;

export interface Chokes {
  /** The worker answered 5xx to that job; true when it is the third different job in a row. */
  choked(workerId: string, jobId: string): boolean;
  /** The worker took a prompt. */
  took(workerId: string): void;
}

/** A memory of one process: a dispatcher that starts anew counts from nothing, which costs three retries at most. */
export const createChokes = (): Chokes => {
  const jobsOf = new Map<string, Set<string>>();
  return {
    choked: (workerId, jobId) => {
      const jobs = jobsOf.get(workerId) ?? new Set();
      jobsOf.set(workerId, jobs.add(jobId));
      if (jobs.size < MAX_JOBS) return false;
      jobsOf.delete(workerId);
      return true;
    },
    took: (workerId) => void jobsOf.delete(workerId),
  };
};
