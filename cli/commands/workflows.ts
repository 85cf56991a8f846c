import { readFile } from 'node:fs/promises';
import { storedWorkflowSchema, workflowListSchema } from '../../shared-types/index.ts';
import { CliError, EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { table } from '../table.ts';

const pathOf = (id: string): string => `/workflows/${encodeURIComponent(id)}`;

const parameterOf = (text: string): readonly [string, string] => {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  throw new CliError(EXIT.usage, `--param ${text}: write name=<nodeId>.inputs.<input>`);
};

/** A name that is given twice stands for both inputs. */
const parametersOf = (texts: readonly string[]): Record<string, string | string[]> => {
  const targets = new Map<string, string[]>();
  for (const text of texts) {
    const [name, target] = parameterOf(text);
    targets.set(name, [...(targets.get(name) ?? []), target]);
  }
  return Object.fromEntries(
    [...targets].map(([name, [first = '', ...others]]) => [
      name,
      others.length === 0 ? first : [first, ...others],
    ]),
  );
};

/** The workflow goes as the text of its file, every digit as it is. */
export const putWorkflowCommand = async (
  id: string,
  file: string,
  parameters: readonly string[],
  context: Context,
): Promise<ExitCode> => {
  const workflow = await readFile(file, 'utf8').catch(() => {
    throw new CliError(EXIT.usage, `${file}: there is no such file`);
  });
  const body = `{"parameters":${JSON.stringify(parametersOf(parameters))},"workflow":${workflow}}`;
  const stored = await context.api.json(storedWorkflowSchema, { method: 'PUT', path: pathOf(id), body });
  if (context.json) printJson(context, stored);
  else context.out.write(`${stored.id}: ${Object.keys(stored.parameters).join(', ') || 'no parameters'}\n`);
  return EXIT.ok;
};

export const listWorkflowsCommand = async (context: Context): Promise<ExitCode> => {
  const list = await context.api.json(workflowListSchema, { path: '/workflows' });
  if (context.json) printJson(context, list);
  else
    context.out.write(
      table(
        ['ID', 'PARAMETERS', 'UPDATED'],
        list.workflows.map(({ id, parameters, updated_at }) => [
          id,
          Object.keys(parameters).join(','),
          updated_at,
        ]),
      ),
    );
  return EXIT.ok;
};

export const removeWorkflowCommand = async (id: string, context: Context): Promise<ExitCode> => {
  await context.api.text({ method: 'DELETE', path: pathOf(id) });
  if (!context.json) context.out.write(`${id} is removed\n`);
  return EXIT.ok;
};
