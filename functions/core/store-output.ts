/** Stores one output of a job: a file of ComfyUI, or a text. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { MissingOutput, OutputFile, StoredOutput, TextOutput } from '../../shared-types/index.ts';
import { PipelineError } from './errors.ts';
import { contentDisposition, mediaTypeOf, PLAIN_TEXT, SNIFF_BYTES, type MediaType } from './media-type.ts';
import { outputIdOf, outputKeyOf } from './output-key.ts';
import { peekBody } from './peek-body.ts';
import type { Clock, ComfyUi, FileFetch, MediaStore } from './ports.ts';

export interface StoreDependencies {
  readonly comfyUi: ComfyUi;
  readonly media: MediaStore;
  readonly clock: Clock;
}

/** Whose outputs they are, and where they come from. */
export interface CopyTarget {
  readonly jobId: string;
  readonly userId: string;
  readonly sessionId: string;
  /** Base URL of the worker's ComfyUI, from the registry. */
  readonly endpoint: string;
  /** Epoch milliseconds; a file that is absent then will not come any more. */
  readonly missingAfter: number;
  /** Outputs that were stored before: they outlive their file. */
  readonly early: readonly StoredOutput[];
}

export type OutputResult =
  | { readonly kind: 'stored'; readonly output: StoredOutput }
  | { readonly kind: 'missing'; readonly output: MissingOutput };

/** Texts are cut to this. */
export const MAX_TEXT_BYTES = 64 * 1024;

const MAX_TRIES = 4;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 2000;
const MAX_ERROR_LENGTH = 512;

const waitMs = (tries: number): number => Math.min(FIRST_WAIT_MS * 2 ** (tries - 1), MAX_WAIT_MS);

interface Place {
  readonly outputId: string;
  readonly key: string;
}

type Identity = Pick<OutputFile, 'nodeId' | 'outputKey' | 'index' | 'filename'>;

const placeOf = ({ nodeId, outputKey, index, filename }: Identity, target: CopyTarget): Place => {
  const outputId = outputIdOf(target.jobId, nodeId, outputKey, index);
  const { userId, sessionId } = target;
  return { outputId, key: outputKeyOf({ userId, sessionId, outputId, filename }) };
};

const missing = ({ nodeId, outputKey, index, filename }: OutputFile, error: string): OutputResult => ({
  kind: 'missing',
  output: { nodeId, outputKey, index, filename, error: error.slice(0, MAX_ERROR_LENGTH) },
});

const stored = (
  { nodeId, outputKey, index, filename }: Identity,
  { outputId, key }: Place,
  { kind, mimeType }: Pick<MediaType, 'kind' | 'mimeType'>,
  size: number,
  media: MediaStore,
): OutputResult => ({
  kind: 'stored',
  output: { outputId, nodeId, outputKey, index, kind, src: media.urlOf(key), mimeType, size, filename },
});

type FoundFile = Extract<FileFetch, { kind: 'found' }>;

/** What went wrong with one try: the file's own fault, or the surroundings'. */
type Try =
  | { readonly kind: 'done'; readonly result: OutputResult }
  /** The file's own fault, and certain to happen again. */
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'again';
      readonly blame: 'file' | 'surroundings';
      readonly reason: string;
      readonly cause?: unknown;
    };

/** Copies unless the same content is there already: same ETag, same size. */
const copyOnce = async (
  file: OutputFile,
  place: Place,
  { body: source, length, etag }: FoundFile,
  { media }: StoreDependencies,
): Promise<Try> => {
  const { head, body } = await peekBody(source, SNIFF_BYTES);
  const type = mediaTypeOf(head, file.filename);
  const existing = await media.head(place.key);
  const done = (size: number): Try => ({ kind: 'done', result: stored(file, place, type, size, media) });
  const isSame = existing !== undefined && etag !== undefined && existing.sourceEtag === etag;
  if (isSame && (length === undefined || length === existing.size)) return done(existing.size);
  const answer = await media.put(
    {
      key: place.key,
      body,
      length,
      contentType: type.mimeType,
      contentDisposition: contentDisposition(type.disposition, file.filename),
      sourceEtag: etag,
    },
    { overwrite: existing !== undefined },
  );
  if (answer.kind === 'stored') return done(answer.size);
  return { kind: 'again', blame: 'surroundings', reason: 'another delivery stored the output meanwhile' };
};

/** A body that breaks or lies about its length is the file's fault, whatever the store makes of it. */
const tryCopy = async (
  file: OutputFile,
  place: Place,
  found: FoundFile,
  deps: StoreDependencies,
): Promise<Try> => {
  let broken: Error | undefined;
  found.body.once('error', (error) => {
    broken = error;
  });
  try {
    return await copyOnce(file, place, found, deps);
  } catch (cause) {
    if (broken instanceof PipelineError && broken.code === 'file.refused') {
      return { kind: 'refused', reason: broken.message };
    }
    const isLie = cause instanceof PipelineError && cause.code === 'media.length';
    if (broken !== undefined || isLie)
      return { kind: 'again', blame: 'file', reason: 'the file arrived incomplete', cause };
    if (cause instanceof PipelineError && cause.retryable) {
      return { kind: 'again', blame: 'surroundings', reason: cause.message, cause };
    }
    throw cause;
  } finally {
    found.body.destroy();
  }
};

const earlyOf = ({ outputId }: Place, { early }: CopyTarget): OutputResult | undefined => {
  const output = early.find((candidate) => candidate.outputId === outputId);
  return output === undefined ? undefined : { kind: 'stored', output };
};

const unreachable = (message: string, cause?: unknown): PipelineError =>
  new PipelineError('worker.unreachable', message, { retryable: true, cause });

/** One answer of the worker, judged. Undefined: the file may still come. */
const judge = async (
  file: OutputFile,
  place: Place,
  target: CopyTarget,
  deps: StoreDependencies,
): Promise<Try | undefined> => {
  const fetched = await deps.comfyUi.fetchFile(target.endpoint, file);
  switch (fetched.kind) {
    case 'found':
      return tryCopy(file, place, fetched, deps);
    case 'unreachable':
      return {
        kind: 'again',
        blame: 'surroundings',
        reason: fetched.message,
        cause: unreachable(fetched.message),
      };
    case 'unfetchable':
      return { kind: 'refused', reason: `ComfyUI does not serve it: ${fetched.message}` };
    case 'missing': {
      const early = earlyOf(place, target);
      if (early !== undefined) return { kind: 'done', result: early };
      if (deps.clock.now() < target.missingAfter) return undefined;
      return { kind: 'done', result: missing(file, `the file is gone: ${fetched.message}`) };
    }
  }
};

/**
 * Copies one file from the worker to the media store, streaming. A file that is absent, cannot be served, never
 * arrives whole, or is beyond the limits is `missing`; storing again what is stored is a no-op.
 * @throws PipelineError (retryable) when the worker or the store cannot be reached
 */
export const storeFile = async (
  file: OutputFile,
  target: CopyTarget,
  deps: StoreDependencies,
): Promise<OutputResult> => {
  const place = placeOf(file, target);
  let failures = 0;
  for (let tries = 1; ; tries += 1) {
    const judged = await judge(file, place, target, deps);
    if (judged?.kind === 'done') return judged.result;
    if (judged?.kind === 'refused') return earlyOf(place, target) ?? missing(file, judged.reason);
    if (judged !== undefined) failures += 1;
    if (judged !== undefined && failures >= MAX_TRIES) {
      if (judged.blame === 'file') return earlyOf(place, target) ?? missing(file, judged.reason);
      throw judged.cause instanceof PipelineError ? judged.cause : unreachable(judged.reason, judged.cause);
    }
    await deps.clock.sleep(waitMs(tries));
  }
};

/** At most `maxBytes` of UTF-8, cut between two characters. */
export const cutText = (text: string, maxBytes: number): Buffer => {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return bytes;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
};

/** Stores a text that a node put out, as plain text whatever it holds. */
export const storeText = async (
  { nodeId, outputKey, index, text }: TextOutput,
  target: CopyTarget,
  { media }: StoreDependencies,
): Promise<OutputResult> => {
  const identity: Identity = { nodeId, outputKey, index, filename: `text-${index}.txt` };
  const place = placeOf(identity, target);
  const content = cutText(text, MAX_TEXT_BYTES);
  const sourceEtag = createHash('sha256').update(content).digest('hex');
  const result = stored(identity, place, { kind: 'text', mimeType: PLAIN_TEXT }, content.length, media);
  const existing = await media.head(place.key);
  if (existing?.sourceEtag === sourceEtag) return result;
  const object = {
    key: place.key,
    length: content.length,
    contentType: PLAIN_TEXT,
    contentDisposition: contentDisposition('inline', identity.filename),
    sourceEtag,
  };
  // What another delivery stores meanwhile is the same text, or an older one.
  await media.put({ ...object, body: Readable.from([content]) }, { overwrite: true });
  return result;
};
