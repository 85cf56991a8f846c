import { storedWorkflowSchema, workflowListSchema } from '../../shared-types/index.ts';
import { CliError, EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { packBody } from '../packed-body.ts';
import { printable } from '../printable.ts';
import { table } from '../table.ts';
import { targetOf } from '../target.ts';
import { readWorkflowFile } from '../workflow-file.ts';
import { printAnswer } from './tasks.ts';

const pathOf = (id: string): string => `/workflows/${encodeURIComponent(id)}`;

const parameterOf = (text: string): readonly [string, string] => {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  throw new CliError(EXIT.usage, `--param ${text}: write name=<nodeId>.inputs.<input>`);
};

/** A name that is given twice stands for both inputs; targets are found as those of `--set` are. */
const parametersOf = (texts: readonly string[], workflow: unknown): Record<string, string | string[]> => {
  const targets = new Map<string, string[]>();
  for (const text of texts) {
    const [name, target] = parameterOf(text);
    targets.set(name, [...(targets.get(name) ?? []), targetOf(target, workflow).path]);
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
  const { text, workflow } = await readWorkflowFile(file);
  const packed = await packBody(
    `{"parameters":${JSON.stringify(parametersOf(parameters, workflow))},"workflow":${text}}`,
  );
  if (packed === undefined)
    throw new CliError(EXIT.usage, `${file}: a stored workflow has at most 4 MB, compressed`);
  const call = { method: 'PUT', path: pathOf(id), ...packed } as const;
  const stored = await context.api.json(storedWorkflowSchema, call);
  if (context.json) printJson(context, stored);
  else
    context.out.write(
      `${printable(`${stored.id}: ${Object.keys(stored.parameters).join(', ') || 'no parameters'}`)}\n`,
    );
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
  if (context.json) printJson(context, { id, removed: true });
  else context.out.write(`${printable(id)} is removed\n`);
  return EXIT.ok;
};

export const showWorkflowCommand = (id: string, context: Context): Promise<ExitCode> =>
  printAnswer(pathOf(id), context);
