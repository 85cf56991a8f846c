/** Open connections in memory. */
import type { Connection, ConnectionStore } from '../../core/ports.ts';

export interface FakeConnectionStore extends ConnectionStore {
  readonly connections: Map<string, Connection>;
}

export const createFakeConnectionStore = (): FakeConnectionStore => {
  const connections = new Map<string, Connection>();
  return {
    connections,
    create: async (connectionId, userId) => {
      connections.set(connectionId, { connectionId, userId, jobIds: [] });
    },
    get: async (connectionId) => connections.get(connectionId),
    addJob: async (connectionId, jobId, max) => {
      const connection = connections.get(connectionId);
      if (connection === undefined) return 'gone';
      if (connection.jobIds.includes(jobId)) return 'added';
      if (connection.jobIds.length >= max) return 'full';
      connections.set(connectionId, { ...connection, jobIds: [...connection.jobIds, jobId] });
      return 'added';
    },
    removeJob: async (connectionId, jobId) => {
      const connection = connections.get(connectionId);
      if (connection === undefined) return;
      const jobIds = connection.jobIds.filter((id) => id !== jobId);
      connections.set(connectionId, { ...connection, jobIds });
    },
    remove: async (connectionId) => {
      connections.delete(connectionId);
    },
  };
};
