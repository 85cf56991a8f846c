import { expect, test } from '@jest/globals';
import { launchRequest } from './provider-contract-support.ts';
import { createStaticProvider } from './static-provider.ts';

test('launches nothing, and says what to do instead', async () => {
  const answer = await createStaticProvider().launch(launchRequest({ products: ['a', 'b'] }));
  expect(answer).toEqual({ kind: 'noCapacity', message: expect.stringContaining('it announces itself') });
});

test('has no instance, so none is listed, found, logged or terminated', async () => {
  const provider = createStaticProvider();
  expect(await provider.list('pool-a')).toEqual({ kind: 'listed', instances: [] });
  expect(await provider.get('x')).toEqual({ kind: 'absent' });
  expect(await provider.terminate('x')).toEqual({ kind: 'absent' });
  expect(await provider.logs('x', 5)).toEqual({ kind: 'unsupported' });
  expect(await provider.products()).toEqual({ kind: 'products', products: [] });
});
