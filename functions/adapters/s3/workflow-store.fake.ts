/** Submitted workflows in memory, byte for byte. */
import type { JobFile, WorkflowStore } from '../../core/ports.ts';

export interface FakeWorkflowStore extends WorkflowStore {
  readonly workflows: Map<string, string>;
  readonly files: Map<string, readonly JobFile[]>;
}

export const createFakeWorkflowStore = (): FakeWorkflowStore => {
  const workflows = new Map<string, string>();
  const files = new Map<string, readonly JobFile[]>();
  return {
    workflows,
    files,
    put: async (jobId, workflowText) => {
      const there = workflows.get(jobId) ?? workflowText;
      workflows.set(jobId, there);
      return there === workflowText ? 'stored' : 'different';
    },
    get: async (jobId) => workflows.get(jobId),
    putFiles: async (jobId, list) => {
      const there = files.get(jobId) ?? list;
      files.set(jobId, there);
      return JSON.stringify(there) === JSON.stringify(list) ? 'stored' : 'different';
    },
    getFiles: async (jobId) => files.get(jobId),
    urlOf: async (jobId) => `https://workflows.example/${jobId}.json`,
  };
};
