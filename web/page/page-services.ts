/** What the views share: one client (one socket), one API, one list of jobs. */
import { createContext, use } from 'react';
import type { PipelineClient } from '../client/client-contract.ts';
import { createPipelineClient } from '../client/pipeline-client.ts';
import type { TaskSubmission } from '../client/task-api.ts';
import { ticketsFrom } from '../client/tickets.ts';
import type { FailurePolicy } from '../react/generation-view.ts';
import { retryWithSmallerSize } from '../react/smaller-size.ts';
import { createPipelineApi, type PipelineApi } from './api/pipeline-api.ts';
import type { TaskDetails } from './api/read-answers.ts';
import { createTaskDetailsCache, type TaskDetailsCache } from './api/task-details.ts';
import { createJobTitles, type JobTitles } from './jobs/job-titles.ts';
import { createJobsStore, type JobsStore } from './jobs/jobs-store.ts';
import type { PageConfig } from './page-config.ts';
import { createEarlierJobs, type EarlierJobs } from './tries/earlier-jobs.ts';
import { createKeptSwitch, type KeptSwitch } from './ui/kept-switch.ts';

export interface PageServices {
  readonly config: PageConfig;
  readonly client: PipelineClient;
  readonly api: PipelineApi;
  readonly details: TaskDetailsCache;
  readonly jobs: JobsStore;
  readonly titles: JobTitles;
  /** Whether a job that runs out of memory is tried again smaller, unasked. */
  readonly smaller: KeptSwitch;
  /** The hook's own rule, while that is on. */
  readonly smallerPolicy: FailurePolicy;
  /** Whether each submission has a seed that none had before. */
  readonly freshSeeds: KeptSwitch;
  readonly earlier: EarlierJobs;
  /** What a job was made of. Rejects with the API's error. */
  readonly submissionOf: (jobId: string) => Promise<TaskSubmission>;
  /** A job took the place of one that ended badly: it is in the list at once, and called the same. */
  readonly onFollowUp: (failed: string, next: string) => void;
}

/** What the shell does for every view. */
export interface PageActions {
  /** Says one line, to the eye and to screen readers. */
  readonly say: (line: string) => void;
  /** Opens the form with the workflow of a task. */
  readonly reuse: (task: Pick<TaskDetails, 'id'>) => Promise<void>;
  /** Queues it again and follows the new one. */
  readonly retry: (id: string) => Promise<void>;
  readonly cancel: (id: string) => Promise<void>;
}

const submissionsOf =
  (api: PipelineApi): PageServices['submissionOf'] =>
  async (jobId) => {
    const task = await api.getTask(jobId);
    return { workflow_id: task.workflowId, priority: task.priority, payload: await api.getPayload(task) };
  };

export const createPageServices = (
  config: PageConfig,
  token: string | undefined,
  onUnauthorized: () => void,
): PageServices => {
  const { apiUrl, webSocketUrl } = config;
  const ticket = ticketsFrom({ apiUrl, token });
  const client = createPipelineClient({ apiUrl, webSocketUrl, token, ticket, previews: true });
  const api = createPipelineApi({ apiUrl, token, onUnauthorized });
  const titles = createJobTitles(() => localStorage);
  const jobs = createJobsStore({ client, api });
  const storage = (): Storage => localStorage;
  const smaller = createKeptSwitch({ storage, key: 'retrySmaller', initially: true });
  const freshSeeds = createKeptSwitch({ storage, key: 'freshSeeds', initially: false });
  const smallerPolicy: FailurePolicy = (...failure) =>
    smaller.isOn() ? retryWithSmallerSize(...failure) : undefined;
  const submissionOf = submissionsOf(api);
  const onFollowUp: PageServices['onFollowUp'] = (failed, next) => {
    titles.keep(next, titles.titleOf(failed) ?? '');
    void jobs.refresh();
  };
  const earlier = createEarlierJobs({ client, policy: smallerPolicy, submissionOf, onFollowUp });
  const details = createTaskDetailsCache(api);
  const tries = { smaller, smallerPolicy, earlier, submissionOf, onFollowUp };
  return { config, client, api, details, jobs, titles, freshSeeds, ...tries };
};

export const ServicesContext = createContext<PageServices | undefined>(undefined);
export const ActionsContext = createContext<PageActions | undefined>(undefined);

const present = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('a view stands outside of the page');
  return value;
};

export const useServices = (): PageServices => present(use(ServicesContext));
export const useActions = (): PageActions => present(use(ActionsContext));
