/** How a stored output is served: its type by content, then by extension; what a browser would run is attached. */
import { binaryFormatOf, textOf, type MediaFormat } from './media-signatures.ts';
import { extensionOf } from './output-key.ts';

export interface MediaType extends MediaFormat {
  readonly disposition: 'inline' | 'attachment';
}

/** Bytes of a file's start that are enough to tell its type: metadata of a PNG may stand before its animation. */
export const SNIFF_BYTES = 64 * 1024;

export const PLAIN_TEXT = 'text/plain; charset=utf-8';

const plain: MediaFormat = { mimeType: PLAIN_TEXT, kind: 'text' };
const html: MediaFormat = { mimeType: 'text/html; charset=utf-8', kind: 'file' };
const svg: MediaFormat = { mimeType: 'image/svg+xml', kind: 'image' };
const xml: MediaFormat = { mimeType: 'application/xml', kind: 'file' };
const script: MediaFormat = { mimeType: 'text/javascript; charset=utf-8', kind: 'file' };
const json: MediaFormat = { mimeType: 'application/json', kind: 'text' };
const unknown: MediaFormat = { mimeType: 'application/octet-stream', kind: 'file' };
const model = (mimeType: string): MediaFormat => ({ mimeType, kind: 'model' });

/** Extensions that say more than "this is text". */
const TEXT_EXTENSIONS: ReadonlyMap<string, MediaFormat> = new Map([
  ['txt', plain],
  ['md', plain],
  ['log', plain],
  ['srt', plain],
  ['csv', { mimeType: 'text/csv; charset=utf-8', kind: 'text' }],
  ['json', json],
  ['html', html],
  ['htm', html],
  ['xhtml', { mimeType: 'application/xhtml+xml', kind: 'file' }],
  ['svg', svg],
  ['xml', xml],
  ['xsl', xml],
  ['js', script],
  ['mjs', script],
  ['gltf', model('model/gltf+json')],
  ['obj', model('model/obj')],
  ['mtl', model('model/mtl')],
  ['stl', model('model/stl')],
  ['ply', model('model/ply')],
]);

/** For content without a signature. */
const BINARY_EXTENSIONS: ReadonlyMap<string, MediaFormat> = new Map([
  ['stl', model('model/stl')],
  ['ply', model('model/ply')],
  ['obj', model('model/obj')],
  ['fbx', model('application/octet-stream')],
  ['splat', model('application/octet-stream')],
  ['ksplat', model('application/octet-stream')],
  ['spz', model('application/octet-stream')],
  ['glb', model('model/gltf-binary')],
  ['png', { mimeType: 'image/png', kind: 'image' }],
  ['jpg', { mimeType: 'image/jpeg', kind: 'image' }],
  ['jpeg', { mimeType: 'image/jpeg', kind: 'image' }],
  ['webp', { mimeType: 'image/webp', kind: 'image' }],
  ['gif', { mimeType: 'image/gif', kind: 'animated' }],
  ['mp4', { mimeType: 'video/mp4', kind: 'video' }],
  ['mov', { mimeType: 'video/quicktime', kind: 'video' }],
  ['webm', { mimeType: 'video/webm', kind: 'video' }],
  ['mkv', { mimeType: 'video/x-matroska', kind: 'video' }],
  ['mp3', { mimeType: 'audio/mpeg', kind: 'audio' }],
  ['wav', { mimeType: 'audio/wav', kind: 'audio' }],
  ['flac', { mimeType: 'audio/flac', kind: 'audio' }],
  ['opus', { mimeType: 'audio/ogg', kind: 'audio' }],
  ['ogg', { mimeType: 'audio/ogg', kind: 'audio' }],
  ['html', html],
  ['htm', html],
  ['svg', svg],
  ['xml', xml],
  ['js', script],
  ['mjs', script],
  ['txt', plain],
]);

const isMarkup = (text: string): boolean => /^\ufeff?\s*</.test(text);

const markupFormat = (text: string): MediaFormat => {
  if (/<svg[\s>]/i.test(text)) return svg;
  return /^\ufeff?\s*<\?xml/i.test(text) ? xml : html;
};

const textFormat = (text: string, extension: string): MediaFormat => {
  const named = TEXT_EXTENSIONS.get(extension);
  if (named !== undefined) return named;
  if (isMarkup(text)) return markupFormat(text);
  return /^\ufeff?\s*[{[]/.test(text) ? json : plain;
};

/** Shown in the page: types that a browser only displays. Everything else is downloaded. */
const INLINE = /^(?:image\/(?!svg)|video\/|audio\/|model\/|text\/plain|text\/csv|application\/json$)/;

const isInline = ({ mimeType }: MediaFormat, text: string | undefined): boolean =>
  INLINE.test(mimeType) && !(text !== undefined && isMarkup(text));

/** `head`: the first `SNIFF_BYTES` of the file, or all of a shorter one. Content decides, the name fills in. */
export const mediaTypeOf = (head: Buffer, filename: string): MediaType => {
  const extension = extensionOf(filename);
  const binary = binaryFormatOf(head);
  const text = binary === undefined && head.length > 0 ? textOf(head) : undefined;
  const byName = BINARY_EXTENSIONS.get(extension) ?? unknown;
  const found = binary ?? (text === undefined ? byName : textFormat(text, extension));
  return { ...found, disposition: isInline(found, text) ? 'inline' : 'attachment' };
};

/** Control characters and the marks that turn the reading direction have no place in a header. */
// oxlint-disable-next-line no-control-regex -- just those are meant
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A Content-Disposition (RFC 6266) whose file name can break out of nothing. */
export const contentDisposition = (disposition: MediaType['disposition'], filename: string): string => {
  const name = filename.replaceAll(UNPRINTABLE, '').slice(0, 150) || 'output';
  const fallback = name.replaceAll(/[^A-Za-z0-9._ -]/g, '_');
  const wellFormed = Buffer.from(name).toString();
  const encoded = encodeURIComponent(wellFormed).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${disposition}; filename="${fallback}"; filename*=UTF-8''${encoded}`;
};
