/** Stored workflows in memory, in the order of their ids. */
import type { StoredWorkflow, StoredWorkflowStore } from '../../core/ports.ts';

export const createFakeStoredWorkflowStore = (): StoredWorkflowStore => {
  const users = new Map<string, Map<string, StoredWorkflow>>();
  const of = (userId: string): Map<string, StoredWorkflow> => users.get(userId) ?? new Map();
  return {
    put: async (workflow) => {
      const workflows = of(workflow.userId);
      const before = workflows.get(workflow.workflowId);
      workflows.set(workflow.workflowId, { ...workflow, createdAt: before?.createdAt ?? workflow.createdAt });
      users.set(workflow.userId, workflows);
      return before === undefined ? 'created' : 'replaced';
    },
    get: async (userId, workflowId) => of(userId).get(workflowId),
    list: async (userId) =>
      [...of(userId).values()]
        .sort((a, b) => (a.workflowId < b.workflowId ? -1 : 1))
        .map(({ workflowText: _text, ...listed }) => listed),
    remove: async (userId, workflowId) => of(userId).delete(workflowId),
  };
};
