import { MAX_ESCAPED_WORKFLOW_BYTES } from '../../shared-types/index.ts';
import type { HttpReply } from '../adapters/http/http-handler.ts';
import type { Job } from '../core/job.ts';
import type { TimelineStore } from '../core/ports.ts';
import { MAX_TRANSITIONS, timelineOf } from '../core/task-timeline.ts';

export interface TimelineDependencies {
  readonly timeline: TimelineStore;
}

const fits = (body: string): boolean => Buffer.byteLength(JSON.stringify(body)) <= MAX_ESCAPED_WORKFLOW_BYTES;

/** GET /api/v1/tasks/{id}/timeline: as many transitions, the first ones, as Lambda may answer. */
export const getTimeline = async (job: Job, { timeline }: TimelineDependencies): Promise<HttpReply> => {
  let transitions = await timeline.list(job.jobId, MAX_TRANSITIONS + 1);
  let body = JSON.stringify(timelineOf(job, transitions));
  while (!fits(body) && transitions.length > 0) {
    transitions = transitions.slice(0, Math.floor(transitions.length / 2));
    body = JSON.stringify({ ...timelineOf(job, transitions), truncated: true });
  }
  return { status: 200, body };
};
