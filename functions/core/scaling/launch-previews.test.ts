import { expect, test } from '@jest/globals';
import { createScalingWorld } from '../../adapters/test-support/scaling-world.ts';
import { scalePools } from './scale-pools.ts';

test.each([
  ['dev-comfyui-push-preview', 'dev-comfyui-push-preview'],
  ['', undefined],
  [undefined, undefined],
])('an instance of a stage with the preview function %p is told %p', async (named, told) => {
  const { deps, enqueue, novita } = createScalingWorld();
  const monitor = { ...deps.monitor, ...(named !== undefined && { previewFunctionName: named }) };
  await enqueue(1);
  await scalePools({ ...deps, monitor });
  expect(novita.launches).toHaveLength(1);
  expect(novita.launches[0]!.environment['PREVIEW_FUNCTION_NAME']).toBe(told);
});
