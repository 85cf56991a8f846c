/**
 * A file name that leads nowhere else, on any system: no folder, no device, nothing that a shell or a listing would
 * take for something else.
 */
import { extname } from 'node:path';

/** File systems allow 255; a number may have to be put in. */
const MAX_BYTES = 200;
const MAX_ENDING_BYTES = 20;

/** Windows takes these for devices, whatever ending they have: learn.microsoft.com/windows/win32/fileio/naming-a-file */
const DEVICE = /^(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)/i;

const cutBytes = (text: string, most: number): string => {
  let cut = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > most) break;
    cut += character;
  }
  return cut;
};

const shorten = (name: string): string => {
  const ending = cutBytes(extname(name), MAX_ENDING_BYTES);
  return `${cutBytes(name.slice(0, name.length - extname(name).length), MAX_BYTES)}${ending}`;
};

/** @param filename ComfyUI's, which a workflow chooses */
export const safeName = (filename: string): string => {
  const last = filename.split(/[/\\]/).at(-1) ?? '';
  const plain = last
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}<>:"|?*]/gu, '_')
    // Hidden files, options of other programs, somebody's home.
    .replace(/^[.\-~\s]+/, '')
    .replace(/[.\s]+$/, '');
  if (plain === '') return 'output';
  const name = shorten(plain).replace(/[.\s]+$/, '');
  return DEVICE.test(name) ? `_${name}` : name;
};
