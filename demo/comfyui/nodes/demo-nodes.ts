/** Nodes of our own, to bring about on purpose what custom nodes do: run side by side, expand, fail, block. */
import { NodeFailure } from '../errors.ts';
import type { Inputs, NodeClass, NodeContext, NodeResult } from '../node-class.ts';
import { numberInput, textInput } from '../node-class.ts';
import { renderPictureSync } from '../picture/render.ts';
import type { JsonObject } from '../python-json.ts';
import { outOfMemory } from './pixel-tools.ts';
import { dumps } from '../python-json.ts';

async function runSteps(inputs: Inputs, context: NodeContext, delayMs: number): Promise<void> {
  const steps = Math.max(1, numberInput(inputs, 'steps', 4));
  const request = { text: 'steps', negativeText: '', seed: 1n, steps, cfg: 1 };
  const preview = (): ReturnType<typeof renderPictureSync> => renderPictureSync(request, 64, 64);
  for (let value = 1; value <= steps; value++) {
    await context.step(value, steps, { delayMs, ...(inputs.get('preview') === true ? { preview } : {}) });
  }
}

const parallel: NodeClass = {
  concurrent: true,
  async run(inputs, context) {
    await runSteps(inputs, context, numberInput(inputs, 'delay', context.stepDelayMs / 1000) * 1000);
    return { outputs: [inputs.get('value') ?? null] };
  },
};

const steps: NodeClass = {
  async run(inputs, context) {
    await runSteps(inputs, context, numberInput(inputs, 'delay', 0) * 1000);
    return { outputs: [inputs.get('seed')] };
  },
};

const sleep: NodeClass = {
  async run(inputs, context) {
    await context.sleep(numberInput(inputs, 'seconds', 1) * 1000);
    return { outputs: [inputs.get('value') ?? null] };
  },
};

/** Becomes `count` sleeping nodes in a row, whose ids start with its own. */
const expand: NodeClass = {
  run(inputs): NodeResult {
    const count = Math.max(1, numberInput(inputs, 'count', 2));
    const nodes: JsonObject = {};
    for (let i = 1; i <= count; i++) {
      const value = i === 1 ? (inputs.get('value') ?? null) : [String(i - 1), 0];
      nodes[String(i)] = {
        class_type: 'DemoSleep',
        inputs: { seconds: numberInput(inputs, 'seconds', 0), value },
      };
    }
    return { expand: { nodes, results: [[String(count), 0]] } };
  },
};

const fail: NodeClass = {
  run(inputs): NodeResult {
    if (textInput(inputs, 'kind') === 'oom') throw outOfMemory('Asked to fail.');
    throw new NodeFailure(
      textInput(inputs, 'exception_type', 'RuntimeError'),
      textInput(inputs, 'message', 'failed'),
    );
  },
};

const block: NodeClass = {
  run: (inputs) => ({ outputs: [{ kind: 'blocked', message: textInput(inputs, 'message', 'blocked') }] }),
};

const lazySwitch: NodeClass = {
  neededInputs: (inputs) => [inputs.get('condition') === true ? 'on_true' : 'on_false'],
  run: (inputs) => ({
    outputs: [inputs.get(inputs.get('condition') === true ? 'on_true' : 'on_false') ?? null],
  }),
};

const probeFail: NodeClass = {
  run(inputs): NodeResult {
    const kind = textInput(inputs, 'kind');
    if (kind === 'oom') throw outOfMemory('Asked to fail.');
    throw new NodeFailure('RuntimeError', `asked to fail: ${kind}`);
  },
};

const passInteger: NodeClass = { run: (inputs) => ({ outputs: [inputs.get('seed')] }) };

const showText: NodeClass = {
  run(inputs) {
    const value = inputs.get('v');
    return { ui: { text: [typeof value === 'string' ? value : dumps(value)] } };
  },
};

const notANumber: NodeClass = { run: () => ({ ui: { scores: [Number.NaN, Number.POSITIVE_INFINITY] } }) };

export const demoNodes: ReadonlyArray<readonly [string, NodeClass]> = [
  ['DemoParallel', parallel],
  ['DemoSteps', steps],
  ['DemoSleep', sleep],
  ['DemoExpand', expand],
  ['DemoFail', fail],
  ['DemoBlocked', block],
  ['DemoLazySwitch', lazySwitch],
  ['DemoNaN', notANumber],
  ['ProbeErr', probeFail],
  ['ProbeOut', showText],
  ['ProbeInt', passInteger],
  ['ProbeSteps', steps],
  ['ProbeNaN', notANumber],
];

const seed = ['INT', { default: 0, min: 0 }];
const anything = ['*', {}];
const seconds = ['FLOAT', { default: 1, min: 0 }];
const stepInputs = { steps: ['INT', { default: 4, min: 1 }], delay: seconds, seed, preview: ['BOOLEAN', {}] };

/** The `object_info` of these classes: inputs, optional inputs, outputs, and whether it ends a workflow. */
export const demoNodeInfos: ReadonlyMap<string, JsonObject> = new Map([
  info('DemoParallel', { steps: ['INT', { min: 1 }], delay: seconds }, { value: anything }, ['*'], false),
  info('DemoSteps', stepInputs, {}, ['INT'], false),
  info('DemoSleep', { seconds }, { value: anything }, ['*'], false),
  info('DemoExpand', { count: ['INT', { min: 1, max: 1000 }] }, { seconds, value: anything }, ['*'], false),
  info(
    'DemoFail',
    {},
    { kind: ['STRING', {}], exception_type: ['STRING', {}], message: ['STRING', {}], value: anything },
    ['*'],
    false,
  ),
  info('DemoBlocked', {}, { message: ['STRING', {}], value: anything }, ['*'], false),
  info(
    'DemoLazySwitch',
    { condition: ['BOOLEAN', {}] },
    { on_true: ['*', { lazy: true }], on_false: ['*', { lazy: true }] },
    ['*'],
    false,
  ),
  info('DemoNaN', { seed }, {}, [], true),
  info('ProbeErr', { kind: ['STRING', {}], x: ['FLOAT', {}] }, {}, ['*'], false),
  info('ProbeOut', { v: anything }, {}, [], true),
  info('ProbeInt', { seed }, {}, ['INT'], false),
  info('ProbeSteps', stepInputs, {}, ['INT'], false),
  info('ProbeNaN', { seed }, {}, [], true),
]);

function info(
  name: string,
  required: JsonObject,
  optional: JsonObject,
  output: readonly string[],
  outputNode: boolean,
): [string, JsonObject] {
  return [
    name,
    {
      input: { required, ...(Object.keys(optional).length > 0 ? { optional } : {}) },
      input_order: { required: Object.keys(required), optional: Object.keys(optional) },
      output,
      output_is_list: output.map(() => false),
      output_name: output,
      name,
      display_name: name,
      category: 'demo',
      output_node: outputNode,
    },
  ];
}
