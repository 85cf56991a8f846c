/** URLs that callers want the control plane to call. */
import { checkWorkerAddress, type AddressCheck, type AddressPolicy } from '../worker-address.ts';

/**
 * Checks a URL as text by the rules for workers' addresses, but with a query, which signed URLs need. Whoever calls it
 * checks each resolved address again.
 */
export const checkOutboundUrl = (url: string, policy: AddressPolicy): AddressCheck => {
  if (!URL.canParse(url)) return { kind: 'refused', reason: 'this is no URL' };
  const parsed = new URL(url);
  if (parsed.hash !== '') return { kind: 'refused', reason: 'the URL must have no fragment' };
  const { href } = parsed;
  parsed.search = '';
  // An empty query leaves its question mark behind.
  const check = checkWorkerAddress(parsed.href.replace(/[?#]+$/, ''), policy);
  return check.kind === 'refused' ? check : { kind: 'ok', url: href };
};
