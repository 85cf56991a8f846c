import { createFileSchema, MAX_UPLOAD_BYTES } from '../../shared-types/index.ts';
import { errorReply, httpHandler, type HttpHandler } from '../adapters/http/http-handler.ts';
import { jsonReply, readText, refusalReply } from '../adapters/http/task-replies.ts';
import type { Ids, Logger, UploadStore } from '../core/ports.ts';
import { readFields, readObject } from '../core/submission/read-json.ts';
import { numberText, ownValue } from '../core/workflow/json-value.ts';

export interface CreateFileDependencies {
  readonly uploads: UploadStore;
  readonly ids: Ids;
  readonly logger: Logger;
}

const isTooLarge = (size: unknown): boolean => Number(numberText(size) ?? 0) > MAX_UPLOAD_BYTES;

/** POST /api/v1/files → 201 with a URL to upload to, or one line. */
export const createCreateFileHandler = ({ uploads, ids, logger }: CreateFileDependencies): HttpHandler =>
  httpHandler(logger, async (request) => {
    const decoded = await readText(request);
    if (decoded.kind === 'refused') return refusalReply(decoded);
    const read = readObject(decoded.text, 'filename, content_type and size');
    if (read.kind === 'refused') return refusalReply(read);
    if (isTooLarge(ownValue(read.body, 'size'))) {
      return errorReply(413, 'size is larger than 100 MB, which is the most that a file may have');
    }
    const file = readFields(createFileSchema, read.body);
    if (file.kind === 'refused') return refusalReply(file);
    const { filename, content_type: contentType, size } = file.fields;
    const fileId = ids.uuid();
    const ticket = await uploads.presign({ userId: request.userId, fileId, filename, contentType, size });
    return jsonReply(201, {
      file_id: ticket.fileId,
      upload_url: ticket.url,
      headers: ticket.headers,
      expires_at: ticket.expiresAt,
    });
  });
