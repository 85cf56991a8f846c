import { createKeyResponseSchema, keyListSchema } from '../../shared-types/index.ts';
import { EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { printable } from '../printable.ts';
import { table } from '../table.ts';

export interface CreateKeyOptions {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly days: number | undefined;
  readonly user: string | undefined;
}

export const createKeyCommand = async (
  { name, scopes, days, user }: CreateKeyOptions,
  context: Context,
): Promise<ExitCode> => {
  const key = await context.api.json(createKeyResponseSchema, {
    method: 'POST',
    path: '/keys',
    body: JSON.stringify({
      name,
      ...(scopes.length === 0 ? {} : { scopes }),
      ...(days === undefined ? {} : { expires_in_days: days }),
      ...(user === undefined ? {} : { user_id: user }),
    }),
  });
  if (context.json) printJson(context, key);
  else {
    context.out.write(`${printable(key.key)}\n`);
    context.progress.write(
      `This is the only time that the key is shown. User ${printable(key.user_id)}, scopes ${key.scopes.join(', ')}.\n`,
    );
  }
  return EXIT.ok;
};

const queryOf = (user: string | undefined): string =>
  user === undefined ? '' : `?${new URLSearchParams({ user_id: user }).toString()}`;

/** @param user another than the caller is for admins */
export const listKeysCommand = async (user: string | undefined, context: Context): Promise<ExitCode> => {
  const list = await context.api.json(keyListSchema, { path: `/keys${queryOf(user)}` });
  if (context.json) printJson(context, list);
  else
    context.out.write(
      table(
        ['ID', 'NAME', 'SCOPES', 'CREATED', 'EXPIRES', 'STATE'],
        list.keys.map((key) => [
          key.id,
          key.name,
          key.scopes.join(','),
          key.created_at,
          key.expires_at ?? 'never',
          key.revoked ? 'revoked' : 'valid',
        ]),
      ),
    );
  return EXIT.ok;
};

export const revokeKeyCommand = async (
  id: string,
  user: string | undefined,
  context: Context,
): Promise<ExitCode> => {
  await context.api.text({ method: 'DELETE', path: `/keys/${encodeURIComponent(id)}${queryOf(user)}` });
  if (context.json) printJson(context, { id, revoked: true });
  else context.out.write(`${printable(id)} is revoked\n`);
  return EXIT.ok;
};
