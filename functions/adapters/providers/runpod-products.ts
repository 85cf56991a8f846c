/** The GPU types of RunPod. Its REST API has no list of them; its GraphQL API has. */
import * as z from 'zod';
import type { ProviderProduct, ProviderRefusal } from '../../core/providers/worker-provider.ts';
import type { ApiSession } from './novita-runpod-api.ts';

export type RunpodCloud = 'SECURE' | 'COMMUNITY';

const price = z.number().min(0).nullish().catch(null);
const gpuTypeSchema = z.object({
  id: z.string().min(1),
  displayName: z.string().nullish(),
  securePrice: price,
  communityPrice: price,
  lowestPrice: z.object({ stockStatus: z.string().nullish() }).nullish().catch(null),
});
const answerSchema = z.object({ data: z.object({ gpuTypes: z.array(gpuTypeSchema) }) });

const queryOf = (cloud: RunpodCloud): string =>
  `query { gpuTypes { id displayName securePrice communityPrice lowestPrice(input: { gpuCount: 1, secureCloud: ${cloud === 'SECURE'} }) { stockStatus } } }`;

const productOf = (type: z.infer<typeof gpuTypeSchema>, cloud: RunpodCloud): ProviderProduct => {
  const stock = type.lowestPrice?.stockStatus ?? 'None';
  return {
    id: type.id,
    name: type.displayName ?? type.id,
    pricePerHour: (cloud === 'SECURE' ? type.securePrice : type.communityPrice) ?? null,
    available: stock !== '' && stock.toLowerCase() !== 'none',
  };
};

/**
 * Every GPU type with its price for one GPU in that cloud and whether there is stock now
 * (https://docs.runpod.io/sdks/graphql/manage-pods, https://graphql-spec.runpod.io).
 */
export const readProducts = async (
  session: ApiSession,
  graphqlUrl: string,
  cloud: RunpodCloud,
): Promise<
  { readonly kind: 'products'; readonly products: readonly ProviderProduct[] } | ProviderRefusal
> => {
  const call = { method: 'POST', url: graphqlUrl, body: { query: queryOf(cloud) } } as const;
  const read = await session.read(call, answerSchema);
  if (read.kind !== 'read') return read;
  return { kind: 'products', products: read.value.data.gpuTypes.map((type) => productOf(type, cloud)) };
};
