/** One valid example of each ComfyUI frame and REST answer that we read, as a 0.3.64 sends them. */
import type { FrameType } from './comfyui-frames.ts';

const promptId = '7b8f2c52-2f5c-4e57-8f4b-2d6c0a3b9a01';
const timestamp = 1_795_309_884_653;
const image = { filename: 'ComfyUI_00001_.png', subfolder: '', type: 'output' };
const sampler = {
  value: 15,
  max: 20,
  state: 'running',
  node_id: '3',
  prompt_id: promptId,
  display_node_id: '3',
  parent_node_id: null,
  real_node_id: '3',
};

/** `data` of each text frame. */
export const frameExamples: Readonly<Record<FrameType, Readonly<Record<string, unknown>>>> = {
  status: { status: { exec_info: { queue_remaining: 1 } }, sid: 'monitor-pod-1' },
  feature_flags: { supports_preview_metadata: true, max_upload_size: 104_857_600 },
  execution_start: { prompt_id: promptId, timestamp },
  execution_cached: { nodes: ['4', '5'], prompt_id: promptId, timestamp },
  executing: { node: '3', display_node: '3', prompt_id: promptId },
  progress: { value: 15, max: 20, prompt_id: promptId, node: '3' },
  progress_state: { prompt_id: promptId, nodes: { '3': sampler } },
  executed: { node: '9', display_node: '9', output: { images: [image] }, prompt_id: promptId },
  execution_success: { prompt_id: promptId, timestamp },
  execution_error: {
    prompt_id: promptId,
    node_id: '1',
    node_type: 'LoadImage',
    executed: [],
    exception_message: "cannot identify image file 'broken.png'\n",
    exception_type: 'PIL.UnidentifiedImageError',
    traceback: ['  File "/comfyui/nodes.py", line 1647, in load_image\n'],
    current_inputs: {},
    current_outputs: [],
    timestamp,
  },
  execution_interrupted: {
    prompt_id: promptId,
    node_id: '3',
    node_type: 'KSampler',
    executed: [],
    timestamp,
  },
};

const workflow = {
  '9': { class_type: 'SaveImage', inputs: { filename_prefix: 'ComfyUI', images: ['8', 0] } },
};
const extraData = { client_id: 'monitor-pod-1', jobId: '0f6f4b43-7f3a-4d0f-9f43-1d0b8f6f2b10', attempt: 1 };
const queued = [1, promptId, workflow, extraData, ['9']];

/** Answers by route. */
export const restExamples = {
  'GET /prompt': { exec_info: { queue_remaining: 1 } },
  'GET /queue': { queue_running: [queued], queue_pending: [] },
  'GET /history/{id}': {
    [promptId]: {
      prompt: queued,
      outputs: { '9': { images: [image] } },
      status: {
        status_str: 'success',
        completed: true,
        messages: [['execution_success', { prompt_id: promptId, timestamp }]],
      },
      meta: {},
    },
  },
  'POST /prompt 200': { prompt_id: promptId, number: 1, node_errors: {} },
  'POST /prompt 400': {
    error: {
      type: 'prompt_outputs_failed_validation',
      message: 'Prompt outputs failed validation',
      details: '',
      extra_info: {},
    },
    node_errors: {
      '4': {
        errors: [
          {
            type: 'value_not_in_list',
            message: 'Value not in list',
            details: "ckpt_name: 'x' not in ['y']",
            extra_info: {},
          },
        ],
        dependent_outputs: ['9'],
        class_type: 'CheckpointLoaderSimple',
      },
    },
  },
  'GET /system_stats': {
    system: { os: 'posix', comfyui_version: '0.3.64', argv: ['main.py', '--cpu'] },
    devices: [{ name: 'cpu', type: 'cpu', index: null, vram_total: 25_276_502_016 }],
  },
  'GET /object_info': { SaveImage: { display_name: 'Save Image', output_node: true } },
};
