/** File inputs of a submission: each must be an upload of that user, or a URL that may be called. */
import type { JobFile, UploadStore } from '../ports.ts';
import type { AddressPolicy } from '../worker-address.ts';
import { quoted } from '../workflow/one-line.ts';
import type { FileInput } from '../workflow/parameters.ts';
import { notArrived } from './find-workflow.ts';
import { checkOutboundUrl } from './outbound-url.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface FilesDependencies {
  readonly uploads: UploadStore;
  readonly outboundPolicy: AddressPolicy;
}

/** Files of one task. */
export const MAX_FILES = 50;

const placeOf = ({ nodeId, input }: FileInput): string => `input ${quoted(`${nodeId}.inputs.${input}`)}`;

const findFile = async (
  file: FileInput,
  userId: string,
  { uploads, outboundPolicy }: FilesDependencies,
): Promise<JobFile | Refusal> => {
  const { nodeId, input, source } = file;
  if (source.kind === 'url') {
    const check = checkOutboundUrl(source.url, outboundPolicy);
    if (check.kind === 'refused') return refuse(400, `${placeOf(file)}: ${check.reason}`);
    return { nodeId, input, source: { kind: 'url', url: check.url } };
  }
  const upload = await uploads.find(userId, source.fileId);
  if (upload === undefined) return notArrived(placeOf(file));
  return { nodeId, input, source: { kind: 'file', key: upload.key, filename: upload.filename } };
};

export const findFiles = async (
  files: readonly FileInput[],
  userId: string,
  deps: FilesDependencies,
): Promise<{ readonly kind: 'ok'; readonly files: readonly JobFile[] } | Refusal> => {
  if (files.length > MAX_FILES) return refuse(400, `inputs name more than ${MAX_FILES} files`);
  const found = await Promise.all(files.map((file) => findFile(file, userId, deps)));
  const refusal = found.find((file) => 'status' in file);
  if (refusal !== undefined) return refusal;
  return { kind: 'ok', files: found.filter((file) => 'source' in file) };
};
