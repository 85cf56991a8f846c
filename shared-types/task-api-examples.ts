/** One valid example of each body of the task API. */
import { eventExamples } from './event-examples.ts';

const { jobId, outputs, promptId } = eventExamples['Task Completed'];
const [output] = outputs;
const payload = {
  '9': { class_type: 'SaveImage', inputs: { filename_prefix: 'ComfyUI', images: ['8', 0] } },
};
const createdAt = '2026-11-22T10:00:00.000Z';
const startedAt = '2026-11-22T10:00:01.000Z';
const completedAt = '2026-11-22T10:00:13.000Z';
const fileId = '5e0a4b3c-8d0f-4f5e-9a43-6c7b1e2d3f40';

const taskOutputs = outputs.map(({ outputId, nodeId, outputKey, mimeType, ...rest }) => ({
  output_id: outputId,
  node_id: nodeId,
  output_key: outputKey,
  mime_type: mimeType,
  ...rest,
}));

const taskSummary = {
  id: jobId,
  workflow_id: 'text_to_image_v1',
  priority: 5,
  status: 'completed',
  worker_id: 'pod-1',
  created_at: createdAt,
  started_at: startedAt,
  completed_at: completedAt,
  error: '',
  retry_count: 0,
  max_retries: 3,
  session_id: 'session-1',
  prompt_id: promptId,
  attempt: 1,
  progress: 100,
  timeout_seconds: 1800,
  tags: ['gpu:l4'],
  cancel_requested: false,
  retry_of: null,
  callback_url: 'https://app.example.com/comfyui-done',
};

const storedWorkflow = {
  id: 'text_to_image_v1',
  parameters: { prefix: '9.inputs.filename_prefix' },
  created_at: createdAt,
  updated_at: createdAt,
};

const apiKey = {
  id: '1f2e3d4c5b6a7988',
  name: 'build server',
  user_id: 'user-1',
  scopes: ['tasks:read', 'tasks:write'],
  created_at: createdAt,
  expires_at: null,
  revoked: false,
};

export const taskApiExamples = {
  submitTask: {
    workflow_id: 'text_to_image_v1',
    priority: 5,
    session_id: 'session-1',
    max_retries: 3,
    timeout_seconds: 1800,
    callback_url: 'https://app.example.com/comfyui-done',
    tags: ['gpu:l4'],
    inputs: { '9.inputs.filename_prefix': 'holiday' },
    payload,
  },
  submitTaskResponse: {
    id: jobId,
    workflow_id: 'text_to_image_v1',
    status: 'pending',
    created_at: createdAt,
  },
  task: {
    ...taskSummary,
    payload,
    result: {
      src: output?.src ?? null,
      mime_type: output?.mimeType ?? null,
      outputs: taskOutputs,
      missing_outputs: [],
    },
    outputs: taskOutputs,
    queue_position: null,
    eta_seconds: null,
    waiting_for: null,
    attempts: [
      {
        attempt: 1,
        status: 'completed',
        worker_id: 'pod-1',
        prompt_id: promptId,
        assigned_at: createdAt,
        started_at: startedAt,
        ended_at: completedAt,
        error: '',
        reason: null,
        node_id: null,
      },
    ],
  },
  taskSummary,
  taskList: { tasks: [taskSummary], next_cursor: null },
  taskListQuery: { status: 'completed', workflow_id: 'text_to_image_v1', limit: 50 },
  changeTask: { priority: 9 },
  queueControl: { scope: 'mine' },
  queueState: { paused: false, all_paused: false },
  metrics: {
    queue: { pending_tasks: 3, running_tasks: 1, completed_tasks: 120, failed_tasks: 2, cancelled_tasks: 1 },
    workers: {
      total_workers: 2,
      idle_workers: 1,
      running_workers: 1,
      starting_workers: 0,
      failed_workers: 0,
    },
  },
  workerList: {
    workers: [
      {
        id: 'pod-1',
        pod_name: 'pod-1',
        status: 'busy',
        endpoint: 'http://10.0.3.17:8188',
        port: 8188,
        current_task_id: jobId,
        queued_tasks: 1,
        created_at: createdAt,
        last_active_at: completedAt,
        health_status: true,
        tags: ['gpu:l4'],
        comfyui_version: '0.3.64',
        provider: 'static',
      },
    ],
  },
  createFile: { filename: 'portrait.png', content_type: 'image/png', size: 482_113 },
  createFileResponse: {
    file_id: fileId,
    upload_url: `https://uploads.example.com/uploads/user-1/${fileId}/portrait.png?X-Amz-Signature=…`,
    headers: { 'content-type': 'image/png' },
    expires_at: '2026-11-22T10:15:00.000Z',
  },
  putWorkflow: { workflow: payload, parameters: storedWorkflow.parameters },
  storedWorkflow,
  workflowList: { workflows: [storedWorkflow] },
  ticket: {
    ticket: 'q0mQdYb1pN9o1m0w7oYxvJ5rV2cQvY0e4z3S8u6TtGk',
    expires_at: '2026-11-22T10:00:30.000Z',
    web_socket_url: 'wss://live.example.com/live',
  },
  createKey: { name: 'build server', scopes: ['tasks:read', 'tasks:write'], expires_in_days: 90 },
  createKeyResponse: {
    ...apiKey,
    key: 'cpk_1f2e3d4c5b6a7988_q0mQdYb1pN9o1m0w7oYxvJ5rV2cQvY0e4z3S8u6TtGk',
  },
  keyList: { keys: [apiKey] },
  callbackList: {
    deliveries: [
      {
        id: 'msg_0f6f4b437f3a4d0f9f431d0b8f6f2b10',
        event: 'task.completed',
        url: 'https://app.example.com/comfyui-done',
        status: 'delivered',
        attempts: [{ at: completedAt, status_code: 204, error: '', duration_ms: 83 }],
        next_attempt_at: null,
      },
    ],
  },
  callbackSecret: { secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD' },
  error: {
    error: 'node "9" ("SaveImage"): the required input "images" is missing',
    node_errors: {
      '9': {
        class_type: 'SaveImage',
        errors: [
          {
            type: 'required_input_missing',
            message: 'the required input "images" is missing',
            input: 'images',
          },
        ],
      },
    },
  },
};
