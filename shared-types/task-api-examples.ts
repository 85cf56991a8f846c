/** One valid example of each body of the task API. */
import { eventExamples } from './event-examples.ts';

const { jobId, outputs } = eventExamples['Task Completed'];
const [output] = outputs;
const payload = {
  '9': { class_type: 'SaveImage', inputs: { filename_prefix: 'ComfyUI', images: ['8', 0] } },
};
const createdAt = '2026-11-22T10:00:00.000Z';

export const taskApiExamples = {
  submitTask: {
    workflow_id: 'text_to_image_v1',
    priority: 5,
    session_id: 'session-1',
    max_retries: 3,
    payload,
  },
  submitTaskResponse: {
    id: jobId,
    workflow_id: 'text_to_image_v1',
    status: 'pending',
    created_at: createdAt,
  },
  task: {
    id: jobId,
    workflow_id: 'text_to_image_v1',
    priority: 5,
    status: 'completed',
    payload,
    worker_id: 'pod-1',
    created_at: createdAt,
    started_at: '2026-11-22T10:00:01.000Z',
    completed_at: '2026-11-22T10:00:13.000Z',
    result: {
      src: output?.src ?? null,
      mime_type: output?.mimeType ?? null,
      outputs: outputs.map(({ outputId, nodeId, outputKey, mimeType, ...rest }) => ({
        output_id: outputId,
        node_id: nodeId,
        output_key: outputKey,
        mime_type: mimeType,
        ...rest,
      })),
      missing_outputs: [],
    },
    error: '',
    retry_count: 0,
    max_retries: 3,
    session_id: 'session-1',
    prompt_id: eventExamples['Task Completed'].promptId,
    attempt: 1,
    progress: 100,
  },
  error: { error: 'payload is missing; send the API-format workflow there' },
};
