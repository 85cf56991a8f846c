/** Public index of the browser side: the client and its types. The React parts are imported by path. */
export type {
  ClientCounters,
  Connection,
  PipelineClient,
  PipelineClientOptions,
} from './client/client-contract.ts';
export { ClientError, type ClientErrorCode, type ClientErrorDetails } from './client/client-error.ts';
export type { JobListener } from './client/followed-job.ts';
export {
  isFinished,
  type JobFailure,
  type JobPreview,
  type JobRetry,
  type JobState,
} from './client/job-model.ts';
export { createPipelineClient } from './client/pipeline-client.ts';
export type { TaskView } from './client/read-task.ts';
export type { SocketLike, WebSocketConstructor } from './client/reconnecting-socket.ts';
export type { TaskSubmission, Token } from './client/task-api.ts';
export { ticketsFrom, type TicketOptions } from './client/tickets.ts';
export type { ClientTiming } from './client/timing.ts';
