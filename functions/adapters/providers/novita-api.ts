/** The requests to Novita's GPU instance API: addresses, pages, and which refusal means that nothing is there. */
import type { ProviderProduct, ProviderRefusal } from '../../core/providers/worker-provider.ts';
import * as z from 'zod';
import { novitaInstanceSchema, novitaPageSchema, type NovitaInstance } from './novita-instance.ts';
import { jsonField, type ApiAnswer, type ApiSession } from './novita-runpod-api.ts';
import { PRICE_UNITS_PER_DOLLAR } from './novita-runpod-name.ts';
import { readProviderJson, type ProviderReading } from './provider-http.ts';

const PAGE_SIZE = 100;
const MAX_PAGES = 20;

/** Errors are `{code, reason, message, metadata}`; `reason` is the word for programs. */
const isNotFound = ({ status, text }: ApiAnswer): boolean =>
  status === 404 || (status >= 400 && status < 500 && jsonField(text, 'reason') === 'RESOURCE_NOT_FOUND');

const isOk = ({ status }: ApiAnswer): boolean => status >= 200 && status < 300;

export type InstanceFound =
  | { readonly kind: 'instance'; readonly instance: NovitaInstance }
  | { readonly kind: 'absent' }
  | ProviderRefusal;

/** https://novita.ai/docs/api-reference/gpu-instance-get-instance */
export const findInstance = async (
  session: ApiSession,
  baseUrl: string,
  instanceId: string,
): Promise<InstanceFound> => {
  // No id of Novita; an empty one would ask for something else.
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(instanceId)) return { kind: 'absent' };
  const url = `${baseUrl}/gpu/instance?instanceId=${encodeURIComponent(instanceId)}`;
  const answer = await session.send({ method: 'GET', url });
  if (answer.kind !== 'answer') return answer;
  if (isNotFound(answer)) return { kind: 'absent' };
  if (!isOk(answer)) return answer.refusal;
  const read = readProviderJson(answer, novitaInstanceSchema);
  if (read.kind !== 'read') return read;
  return read.value.status === 'removed' ? { kind: 'absent' } : { kind: 'instance', instance: read.value };
};

interface Page {
  readonly number: number;
  readonly size: number;
  /** Instances that no page before had. */
  readonly fresh: number;
}

/**
 * The documentation allows 0 as a page and does not say which page is the first, nor how large a page may be, so that
 * neither is relied upon: page 1 may repeat page 0, and a short page is not the last one.
 */
const isLast = ({ number, size, fresh }: Page, known: number, total: number | null | undefined): boolean =>
  (typeof total === 'number' && known >= total) ||
  (number >= 1 && size === 0) ||
  (number >= 2 && fresh === 0);

/**
 * Every instance of the account (https://novita.ai/docs/api-reference/gpu-instance-list-instances). Not asked by name:
 * that search is «fuzzy», and an instance that it missed would be launched twice. Part of a list is no list.
 */
export const listInstances = async (
  session: ApiSession,
  baseUrl: string,
): Promise<ProviderReading<readonly NovitaInstance[]>> => {
  const known = new Map<string, NovitaInstance>();
  for (let number = 0; number < MAX_PAGES; number += 1) {
    const url = `${baseUrl}/gpu/instances?pageSize=${PAGE_SIZE}&pageNum=${number}`;
    const read = await session.read({ method: 'GET', url }, novitaPageSchema);
    if (read.kind !== 'read') return read;
    const { instances, total } = read.value;
    const before = known.size;
    for (const instance of instances) known.set(instance.id, instance);
    const page = { number, size: instances.length, fresh: known.size - before };
    if (isLast(page, known.size, total)) return { kind: 'read', value: [...known.values()] };
  }
  return { kind: 'unavailable', message: `more than ${MAX_PAGES} pages of instances` };
};

/** https://novita.ai/docs/api-reference/gpu-instance-delete-instance; and stop, which has the same form. */
export const actOn = async (
  session: ApiSession,
  baseUrl: string,
  action: 'delete' | 'stop',
  instanceId: string,
): Promise<{ readonly kind: 'done' } | { readonly kind: 'absent' } | ProviderRefusal> => {
  const url = `${baseUrl}/gpu/instance/${action}`;
  const answer = await session.send({ method: 'POST', url, body: { instanceId } });
  if (answer.kind !== 'answer') return answer;
  if (isNotFound(answer)) return { kind: 'absent' };
  return isOk(answer) ? { kind: 'done' } : answer.refusal;
};

const productSchema = z.object({
  id: z.string().min(1),
  name: z.string().nullish(),
  availableDeploy: z.boolean().nullish().catch(null),
  inventoryState: z.string().nullish().catch(null),
  price: z
    .union([z.number(), z.string().trim().min(1).transform(Number)])
    .nullish()
    .catch(null),
});
const productsSchema = z.object({ data: z.array(productSchema) });

const productOf = (told: z.infer<typeof productSchema>): ProviderProduct => {
  const { id, name, price } = told;
  // A price of nothing is a product that is not sold this way.
  const isPrice = typeof price === 'number' && Number.isFinite(price) && price > 0;
  return {
    id,
    name: name === null || name === undefined || name === '' ? id : name,
    pricePerHour: isPrice ? price / PRICE_UNITS_PER_DOLLAR : null,
    available: told.availableDeploy !== false && told.inventoryState !== 'none',
  };
};

/**
 * https://novita.ai/docs/api-reference/gpu-instance-list-products: prices of one GPU, on demand, in hundred-thousandths
 * of a dollar an hour; `availableDeploy` false means that there are no resources to create one now.
 */
export const listProducts = async (
  session: ApiSession,
  baseUrl: string,
): Promise<ProviderReading<readonly ProviderProduct[]>> => {
  const read = await session.read({ method: 'GET', url: `${baseUrl}/products` }, productsSchema);
  return read.kind === 'read' ? { kind: 'read', value: read.value.data.map(productOf) } : read;
};
