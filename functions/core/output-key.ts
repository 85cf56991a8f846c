/** Where an output is stored: the same output of the same job always has the same id, key and URL. */
import { createHash } from 'node:crypto';
import { uuidV5 } from './uuid-v5.ts';

/** An output's identity is its place in the job, never its file name: ComfyUI gives names twice. */
export const outputIdOf = (jobId: string, nodeId: string, outputKey: string, index: number): string =>
  uuidV5(JSON.stringify([jobId, nodeId, outputKey, index]));

/** S3 keys hold 1,024 bytes. */
const MAX_SEGMENT = 300;

const escapeBytes = (character: string): string =>
  [...Buffer.from(character)].map((byte) => `~${byte.toString(16).padStart(2, '0')}`).join('');

const escapeOne = (character: string): string => {
  const isLoneSurrogate = /^[\ud800-\udfff]$/.test(character);
  return isLoneSurrogate ? `~u${character.charCodeAt(0).toString(16)}` : escapeBytes(character);
};

/**
 * One segment of a key. `~` escapes: it stands in a URL as it is, and the result can be read back, so two ids
 * never share a segment. No dot leads or follows a dot, so no `.` and no `..` can arise.
 */
export const segmentOf = (id: string): string => {
  if (id === '') return '~';
  const escaped = Array.from(id)
    .map((character) => (/^[A-Za-z0-9._-]$/.test(character) ? character : escapeOne(character)))
    .join('')
    .replaceAll(/^\.|(?<=\.)\./g, '~2e');
  if (escaped.length <= MAX_SEGMENT) return escaped;
  return `~h${createHash('sha256').update(escaped).digest('hex')}`;
};

/** Lower case, 1–10 letters or digits; `bin` when the name has no such extension. */
export const extensionOf = (filename: string): string =>
  /\.([a-z0-9]{1,10})$/i.exec(filename)?.[1]?.toLowerCase() ?? 'bin';

export interface OutputPlace {
  readonly userId: string;
  readonly sessionId: string;
  readonly outputId: string;
  readonly filename: string;
}

/** `userId/sessionId/<uuid>.<ext>`. */
export const outputKeyOf = ({ userId, sessionId, outputId, filename }: OutputPlace): string =>
  `${segmentOf(userId)}/${segmentOf(sessionId)}/${outputId}.${extensionOf(filename)}`;
