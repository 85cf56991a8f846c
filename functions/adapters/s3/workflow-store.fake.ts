/** Submitted workflows in memory, byte for byte. */
import type { WorkflowStore } from '../../core/ports.ts';

export interface FakeWorkflowStore extends WorkflowStore {
  readonly workflows: Map<string, string>;
}

export const createFakeWorkflowStore = (): FakeWorkflowStore => {
  const workflows = new Map<string, string>();
  return {
    workflows,
    put: async (jobId, workflowText) => {
      workflows.set(jobId, workflowText);
    },
    get: async (jobId) => workflows.get(jobId),
  };
};
