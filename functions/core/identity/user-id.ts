/** Who calls on the stage `local` without credentials. */
export const LOCAL_USER = 'local';

/** A user's id is a part of keys in table and bucket: some text, at most 128 characters. */
export const isUserId = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= 128;
