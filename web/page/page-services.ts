/** What the views share: one client (one socket), one API, one list of jobs. */
import { createContext, use } from 'react';
import type { PipelineClient } from '../client/client-contract.ts';
import { createPipelineClient } from '../client/pipeline-client.ts';
import { ticketsFrom } from '../client/tickets.ts';
import { createPipelineApi, type PipelineApi } from './api/pipeline-api.ts';
import type { TaskDetails } from './api/read-answers.ts';
import { createTaskDetailsCache, type TaskDetailsCache } from './api/task-details.ts';
import { createJobTitles, type JobTitles } from './jobs/job-titles.ts';
import { createJobsStore, type JobsStore } from './jobs/jobs-store.ts';
import type { PageConfig } from './page-config.ts';

export interface PageServices {
  readonly config: PageConfig;
  readonly client: PipelineClient;
  readonly api: PipelineApi;
  readonly details: TaskDetailsCache;
  readonly jobs: JobsStore;
  readonly titles: JobTitles;
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
  return { config, client, api, details: createTaskDetailsCache(api), jobs, titles };
};

export const ServicesContext = createContext<PageServices | undefined>(undefined);
export const ActionsContext = createContext<PageActions | undefined>(undefined);

const present = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('a view stands outside of the page');
  return value;
};

export const useServices = (): PageServices => present(use(ServicesContext));
export const useActions = (): PageActions => present(use(ActionsContext));
