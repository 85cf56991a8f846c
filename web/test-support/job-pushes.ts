/** Pushes of the contract's examples with a few keys changed. */
import { pushExamples } from '../../shared-types/push-examples.ts';
import type { JobPush, PushOf, PushType, Task } from '../../shared-types/index.ts';

export const JOB_ID = pushExamples.job_progress.jobId;

type Examples = { [T in PushType]: PushOf<T> };

export const pushOf = <T extends JobPush['type']>(type: T, changes: Partial<PushOf<T>> = {}): PushOf<T> => ({
  ...(pushExamples as unknown as Examples)[type],
  ...changes,
});

export const snapshotOf = (changes: Partial<PushOf<'job_snapshot'>> = {}): PushOf<'job_snapshot'> =>
  pushOf('job_snapshot', changes);

export const taskOf = (changes: Partial<Task> = {}): Task => ({
  id: JOB_ID,
  workflow_id: 'text_to_image_v1',
  priority: 5,
  status: 'running',
  payload: {},
  worker_id: 'pod-1',
  created_at: '2026-11-22T10:00:00.000Z',
  started_at: '2026-11-22T10:00:01.000Z',
  completed_at: null,
  result: null,
  error: '',
  retry_count: 0,
  max_retries: 3,
  session_id: 'default',
  prompt_id: '7b8f2c52-2f5c-4e57-8f4b-2d6c0a3b9a01',
  attempt: 1,
  progress: 10,
  queue_position: null,
  eta_seconds: null,
  timeout_seconds: 1800,
  tags: [],
  cancel_requested: false,
  retry_of: null,
  callback_url: null,
  attempts: [],
  ...changes,
});

/** An output as the task API shows it. */
export const taskOutput = (index: number): NonNullable<Task['result']>['outputs'][number] => ({
  output_id: `2b1d6bb2-2f2e-5a7c-8d55-6c43a9f2a1${String(index).padStart(2, '0')}`,
  node_id: '9',
  output_key: 'images',
  index,
  kind: 'image',
  src: `https://pictures.example/${index}.png`,
  mime_type: 'image/png',
  size: 10,
  filename: `ComfyUI_0000${index}_.png`,
});
