/** Where a list of tasks goes on. Opaque to callers, and worth nothing to another user. */
import * as z from 'zod';

const MAX_LENGTH = 1024;

const cursorSchema = z.strictObject({
  userId: z.string().min(1),
  /** The last job that was looked at. */
  createdAt: z.iso.datetime(),
  jobId: z.string().min(1).max(128),
});

export type JobCursor = z.infer<typeof cursorSchema>;

/** Sort key of the index by user. */
export const createdKeyOf = ({ createdAt, jobId }: Pick<JobCursor, 'createdAt' | 'jobId'>): string =>
  `${createdAt}#${jobId}`;

export const encodeCursor = (cursor: JobCursor): string =>
  Buffer.from(JSON.stringify(cursor)).toString('base64url');

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
};

/** Undefined for what is no cursor, and for a cursor of another user. */
export const decodeCursor = (userId: string, text: string): JobCursor | undefined => {
  if (text.length > MAX_LENGTH) return undefined;
  const { success, data } = cursorSchema.safeParse(parsed(text));
  return success && data.userId === userId ? data : undefined;
};
