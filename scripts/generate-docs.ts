/**
 * Writes what is generated from shared-types: JSON Schemas, docs/events.md and docs/openapi.json. `--check` fails on
 * a stale file.
 */
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import * as prettier from 'prettier';
import * as z from 'zod';
import { openApiDocument } from '../functions/core/openapi/openapi.ts';
import { pushExamples, subscribeRequestExample } from '../shared-types/push-examples.ts';
import * as types from '../shared-types/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const schemaDir = 'shared-types/json-schema';

const kebab = (name: string): string => name.toLowerCase().replaceAll(/[\s_]+/g, '-');

const jsonSchema = (schema: z.ZodType): Record<string, unknown> =>
  z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'output', unrepresentable: 'any' });

const schemaFile = (folder: string, name: string, schema: z.ZodType): [string, string] => {
  const document = { title: name, ...jsonSchema(schema) };
  return [`${schemaDir}/${folder}/${kebab(name)}.json`, `${JSON.stringify(document, null, 2)}\n`];
};

const pushSchemas: readonly [types.PushType, z.ZodType][] = types.pushMessageSchema.options.map((option) => [
  option.shape.type.value,
  option,
]);

const apiSchemas: readonly [string, z.ZodType][] = [
  ['submit-task', types.submitTaskFieldsSchema],
  ['submit-task-response', types.submitTaskResponseSchema],
  ['task', types.taskSchema],
  ['error', types.errorBodySchema],
];

const schemaFiles = (): [string, string][] => [
  ...types.detailTypes.map((name) => schemaFile('events', name, types.eventCatalogue[name].schema)),
  ...pushSchemas.map(([name, schema]) => schemaFile('push', name, schema)),
  ...apiSchemas.map(([name, schema]) => schemaFile('task-api', name, schema)),
];

interface Property {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly anyOf?: readonly Property[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly items?: Property;
}

const typeOf = (property: Property): string => {
  if (property.const !== undefined) return JSON.stringify(property.const);
  if (property.enum !== undefined) return property.enum.map((value) => `\`${String(value)}\``).join(' ');
  if (property.anyOf !== undefined) return property.anyOf.map(typeOf).join(' or ');
  if (property.type === 'array')
    return `list of ${property.items === undefined ? 'any' : typeOf(property.items)}`;
  return [property.type ?? 'any', property.format].filter(Boolean).join(', ');
};

const propertyTable = (schema: z.ZodType, leaveOut: ReadonlySet<string>): string => {
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    properties?: Record<string, Property>;
    required?: string[];
  };
  const rows = Object.entries(properties).filter(([name]) => !leaveOut.has(name));
  if (rows.length === 0) return '';
  const line = ([name, property]: [string, Property]): string =>
    `| \`${name}\`${required.includes(name) ? '' : ' (optional)'} | ${typeOf(property)} | ${property.description ?? ''} |`;
  return ['| key | type | meaning |', '| --- | --- | --- |', ...rows.map(line), ''].join('\n');
};

const json = (value: unknown): string => `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\`\n`;

const baseKeys = new Set([
  ...Object.keys(types.jobEventBase),
  'bootId',
  'userId',
  'sessionId',
  'workflowId',
  'priority',
]);

const eventSection = (name: types.DetailType): string => {
  const entry = types.eventCatalogue[name];
  const source =
    entry.origin === 'monitor' ? `${types.MONITOR_SOURCE_PREFIX}<workerId>` : types.PIPELINE_SOURCE;
  const { maximumRetryAttempts, maximumEventAgeSeconds } = entry.delivery;
  return [
    `### ${name}`,
    entry.schema.description ?? '',
    `Source \`${source}\`. Consumed by ${entry.consumers.map((consumer) => `\`${consumer}\``).join(', ')}; retried at most ${maximumRetryAttempts} times within ${maximumEventAgeSeconds} s, then dead-lettered. ${entry.archived ? 'Archived.' : 'Not archived.'}`,
    propertyTable(entry.schema, baseKeys),
    `<details><summary>Example of <code>detail</code></summary>\n\n${json(types.exampleOf(name))}\n</details>`,
    '',
  ].join('\n\n');
};

const eventsPage = (): string =>
  [
    '# Events',
    '<!-- Generated from shared-types by `npm run docs`; edit there. -->',
    `Bus \`\${stage}-comfyui-events\`, one event per change, \`detail\` in camelCase, at most ${types.MAX_EVENT_BYTES / 1024} KB. Detail-types are matched to the letter. Within a major of \`schemaVersion\` changes are additive: ignore keys that you do not know. Delivery is at least once and in any order: drop what has an older \`sequence\` of the same job and attempt.`,
    'Machine-readable schemas: `shared-types/json-schema/events/`.',
    '## Keys of every event',
    'Events about a monitor carry the job keys as null; events about a task (`Task …`) also carry `userId`, `sessionId`, `workflowId` and `priority`.',
    propertyTable(z.object(types.jobEventBase), new Set()),
    '## What a monitor publishes',
    ...types.detailTypes.filter((name) => types.eventCatalogue[name].origin === 'monitor').map(eventSection),
    '## What the control plane publishes',
    ...types.detailTypes.filter((name) => types.eventCatalogue[name].origin === 'pipeline').map(eventSection),
    '## What a browser gets',
    `Over the WebSocket the browser sends \`${JSON.stringify(subscribeRequestExample)}\` and gets \`job_snapshot\` first, then one message per change. \`sequence\` grows by one with each message of a job and never restarts: drop what is older, and subscribe again for a snapshot when one is missing.`,
    ...pushSchemas.map(
      ([name]) =>
        `### ${name}\n\n<details><summary>Example</summary>\n\n${json(pushExamples[name])}\n</details>\n`,
    ),
  ].join('\n\n');

const format = async (file: string, text: string): Promise<string> =>
  prettier.format(text, { ...(await prettier.resolveConfig(path.join(root, file))), filepath: file });

const generated = async (): Promise<ReadonlyMap<string, string>> => {
  const files: [string, string][] = [
    ...schemaFiles(),
    ['docs/events.md', eventsPage()],
    ['docs/openapi.json', JSON.stringify(openApiDocument())],
  ];
  return new Map(
    await Promise.all(files.map(async ([file, text]) => [file, await format(file, text)] as const)),
  );
};

const existingSchemas = async (): Promise<string[]> => {
  const names = await readdir(path.join(root, schemaDir), { recursive: true }).catch(() => []);
  return names
    .filter((name) => name.endsWith('.json'))
    .map((name) => `${schemaDir}/${name.replaceAll('\\', '/')}`);
};

/** Files that differ from what would be written, and schemas that nothing generates any more. */
const staleFiles = async (files: ReadonlyMap<string, string>): Promise<string[]> => {
  const stale: string[] = [];
  for (const [file, text] of files) {
    const found = await readFile(path.join(root, file), 'utf8').catch(() => undefined);
    if (found !== text) stale.push(file);
  }
  return [...stale, ...(await existingSchemas()).filter((file) => !files.has(file))];
};

const write = async (files: ReadonlyMap<string, string>): Promise<void> => {
  await rm(path.join(root, schemaDir), { recursive: true, force: true });
  for (const [file, text] of files) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  }
};

const program = new Command('generate-docs')
  .description('Writes JSON Schemas, docs/events.md and docs/openapi.json from shared-types.')
  .option('--check', 'fail when a file is stale instead of writing')
  .parse();

const files = await generated();
if (program.opts<{ check?: boolean }>().check === true) {
  const stale = await staleFiles(files);
  if (stale.length > 0) {
    console.error(`stale: ${stale.join(', ')}\nrun \`npm run docs\` and commit the result`);
    process.exitCode = 1;
  }
} else {
  await write(files);
  console.log(`${files.size} files written`);
}
