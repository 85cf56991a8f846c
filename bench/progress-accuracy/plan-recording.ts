/** A plan as the frames that ComfyUI would send of it: the shape of a recording (see test/fakes/recording.ts). */
import type { RecordedLine, Recording } from '../../test/fakes/recording.ts';
import type { Plan, PlannedNode } from './synthetic-jobs.ts';

const CLIENT = 'monitor-1';
const EPOCH = Date.UTC(2026, 10, 22);
/** Milliseconds from POST /prompt on to its start. */
const START_MS = 400;

interface Tick {
  readonly ms: number;
  readonly value: number;
}

/** When each step of each pass ends, after what comes before the first. */
const ticksOf = ({ startMs, endMs, steps, passes, leadMs }: PlannedNode): readonly Tick[] => {
  const total = steps * passes;
  const from = startMs + leadMs;
  return Array.from({ length: total }, (_, index) => ({
    ms: Math.round(from + ((endMs - from) * (index + 1)) / (total + 0.02)),
    value: (index % steps) + 1,
  }));
};

const frame = (ms: number, type: string, data: Record<string, unknown>): RecordedLine => ({
  ms,
  socket: CLIENT,
  text: { type, data },
});

const framesOfNode = (node: PlannedNode, prompt_id: string): readonly RecordedLine[] => {
  const { id, startMs, endMs, steps } = node;
  const max = Math.max(1, steps);
  const state = (ms: number, value: number, what: string): RecordedLine => {
    const entry = { value, max, state: what, node_id: id, prompt_id, display_node_id: id };
    return frame(ms, 'progress_state', { prompt_id, nodes: { [id]: entry } });
  };
  return [
    state(startMs, 0, 'running'),
    frame(startMs, 'executing', { node: id, display_node: id, prompt_id }),
    ...ticksOf(node).flatMap(({ ms, value }) => [
      state(ms, value, 'running'),
      frame(ms, 'progress', { value, max, prompt_id, node: id }),
    ]),
    state(endMs, max, 'finished'),
  ];
};

const status = (ms: number, queue_remaining: number, sid?: string): RecordedLine =>
  frame(ms, 'status', { status: { exec_info: { queue_remaining } }, ...(sid === undefined ? {} : { sid }) });

export const recordingOf = (name: string, plan: Plan, promptId: string): Recording => {
  const shifted = plan.nodes.map((node) => ({
    ...node,
    startMs: node.startMs + START_MS,
    endMs: node.endMs + START_MS,
  }));
  const endedAt = Math.max(START_MS, ...shifted.map(({ endMs }) => endMs)) + 20;
  const timestamp = (ms: number) => ({ prompt_id: promptId, timestamp: EPOCH + ms });
  const nodes = shifted.flatMap((node) => framesOfNode(node, promptId)).toSorted((a, b) => a.ms - b.ms);
  const socketLines = [
    { ms: 0, socket: CLIENT, event: 'open' } as const,
    status(1, 0, CLIENT),
    status(START_MS - 1, 1),
    frame(START_MS, 'execution_start', timestamp(START_MS)),
    frame(START_MS, 'execution_cached', { ...timestamp(START_MS), nodes: plan.cached }),
    ...nodes,
    frame(endedAt - 2, 'execution_success', timestamp(endedAt - 2)),
    status(endedAt - 1, 0),
    frame(endedAt, 'executing', { node: null, prompt_id: promptId }),
  ];
  const extraData = { client_id: CLIENT };
  const messages = [
    ['execution_start', timestamp(START_MS)],
    ['execution_cached', { ...timestamp(START_MS), nodes: plan.cached }],
    ['execution_success', timestamp(endedAt - 2)],
  ];
  const outputs = Object.keys(plan.workflow).filter((id) =>
    Object.values(plan.workflow).every((each) => !JSON.stringify(each).includes(`["${id}",`)),
  );
  const entry = {
    prompt: [0, promptId, plan.workflow, extraData, outputs],
    outputs: {},
    status: { status_str: 'success', completed: true, messages },
  };
  const prompt = {
    promptId,
    clientId: CLIENT,
    number: 0,
    workflow: { ...plan.workflow },
    extraData,
    postedAt: START_MS - 5,
    startedAt: START_MS,
    endedAt,
    entry,
  };
  return {
    name,
    lines: socketLines,
    socketLines,
    clientId: CLIENT,
    prompts: [prompt],
    epoch: EPOCH,
    endsAt: endedAt,
  };
};
