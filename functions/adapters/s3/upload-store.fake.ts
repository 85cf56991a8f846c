/** Uploads in memory; what a user would PUT to the URL is put by `arrive`. */
import { Readable } from 'node:stream';
import { segmentOf } from '../../core/output-key.ts';
import type { Clock, UploadStore } from '../../core/ports.ts';

export interface FakeUploadStore extends UploadStore {
  /** The bytes of an upload arrive, as if PUT to its URL. */
  arrive(userId: string, fileId: string, filename: string, content: string | Buffer): void;
}

const folderOf = (userId: string, fileId: string): string => `uploads/${segmentOf(userId)}/${fileId}/`;

export const createFakeUploadStore = ({ clock }: { readonly clock: Pick<Clock, 'now'> }): FakeUploadStore => {
  const objects = new Map<string, Buffer>();
  return {
    arrive: (userId, fileId, filename, content) => {
      objects.set(`${folderOf(userId, fileId)}${filename}`, Buffer.from(content));
    },
    presign: async ({ userId, fileId, filename, contentType }) => ({
      fileId,
      url: `https://uploads.example/${folderOf(userId, fileId)}${encodeURIComponent(filename)}`,
      headers: { 'content-type': contentType },
      expiresAt: new Date(clock.now() + 900_000).toISOString(),
    }),
    find: async (userId, fileId) => {
      const folder = folderOf(userId, fileId);
      for (const [key, content] of objects) {
        if (key.startsWith(folder)) return { key, filename: key.slice(folder.length), size: content.length };
      }
      return undefined;
    },
    open: async (key) => {
      const content = objects.get(key);
      return content === undefined ? undefined : { body: Readable.from([content]), size: content.length };
    },
  };
};
