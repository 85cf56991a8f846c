import type { JobFailure } from './job.ts';

/** Why and where: told in the push of the failure, and to whoever comes after it in the snapshot. */
export const failurePlaceOf = ({ reason, nodeId, nodeName, nodeType }: JobFailure) => ({
  reason,
  ...(nodeId === undefined ? {} : { nodeId }),
  ...(nodeName === undefined ? {} : { nodeName }),
  ...(nodeType === undefined ? {} : { nodeType }),
});
