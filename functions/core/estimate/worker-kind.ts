/** Workers that take the same time for the same work, by the name of their device. */

/** Of a worker whose device nobody named. */
export const UNKNOWN_KIND = 'unknown';

/**
 * `nvidia-geforce-rtx-4090`. ComfyUI writes `cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync`: index and allocator say
 * nothing of the device. Letters, digits and dashes, at most 64.
 */
export const workerKind = (devices: readonly { readonly name: string }[]): string => {
  const name = devices[0]?.name ?? '';
  const device = name.replace(/^\w+:\d+\s+/, '').replace(/\s+:\s+\S+$/, '');
  const slug = device
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 64)
    .replace(/-$/, '');
  const several = devices.length > 1 ? `-x${devices.length}` : '';
  return slug === '' ? UNKNOWN_KIND : `${slug}${several}`;
};
