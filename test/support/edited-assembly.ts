/** A cloud assembly with other settings than its stage has, for what one machine must try out. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Variables by the name of the function, without the stage's prefix. */
export type FunctionVariables = Readonly<Record<string, Readonly<Record<string, string>>>>;

interface Template {
  readonly Resources: Readonly<
    Record<
      string,
      {
        readonly Type: string;
        readonly Properties?: {
          readonly FunctionName?: string;
          readonly Environment?: { readonly Variables: Record<string, unknown> };
        };
      }
    >
  >;
}

const edit = (template: Template, variables: FunctionVariables): string[] => {
  const edited: string[] = [];
  for (const { Properties } of Object.values(template.Resources)) {
    const name = String(Properties?.FunctionName).replace(/^local-comfyui-/, '');
    const wanted = variables[name];
    if (wanted === undefined || Properties?.Environment === undefined) continue;
    Object.assign(Properties.Environment.Variables, wanted);
    edited.push(name);
  }
  return edited;
};

/**
 * Writes the edited templates into `folder`, which must not exist yet; everything else is linked.
 * @throws Error when the assembly has no function of such a name
 */
export const editedAssembly = async (
  assembly: string,
  folder: string,
  variables: FunctionVariables,
): Promise<string> => {
  await mkdir(folder);
  const edited: string[] = [];
  for (const file of await readdir(assembly)) {
    const [from, to] = [path.join(assembly, file), path.join(folder, file)];
    if (!file.endsWith('.template.json')) {
      await symlink(from, to);
      continue;
    }
    const template = JSON.parse(await readFile(from, 'utf8')) as Template;
    edited.push(...edit(template, variables));
    await writeFile(to, JSON.stringify(template));
  }
  const missing = Object.keys(variables).find((name) => !edited.includes(name));
  if (missing !== undefined) throw new Error(`the assembly has no function ${missing}`);
  return folder;
};
