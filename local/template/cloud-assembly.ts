import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { EmbeddedAwsError } from '../contract.ts';
import { topologicalOrder } from './topological-order.ts';

const templateSchema = z.object({
  Parameters: z
    .record(
      z.string(),
      z.object({ Type: z.string(), Default: z.union([z.string(), z.number(), z.boolean()]).optional() }),
    )
    .default({}),
  Mappings: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))).default({}),
  Conditions: z.record(z.string(), z.unknown()).default({}),
  Resources: z
    .record(
      z.string(),
      z.object({
        Type: z.string(),
        Properties: z.record(z.string(), z.unknown()).default({}),
        DependsOn: z.union([z.string(), z.array(z.string())]).optional(),
        Condition: z.string().optional(),
      }),
    )
    .default({}),
  Outputs: z
    .record(
      z.string(),
      z.object({
        Value: z.unknown(),
        Export: z.object({ Name: z.unknown() }).optional(),
        Condition: z.string().optional(),
      }),
    )
    .default({}),
});

const manifestSchema = z.object({
  artifacts: z
    .record(
      z.string(),
      z.object({
        type: z.string(),
        dependencies: z.array(z.string()).default([]),
        properties: z.record(z.string(), z.unknown()).default({}),
      }),
    )
    .default({}),
});

const assetsSchema = z.object({
  files: z
    .record(
      z.string(),
      z.object({
        source: z.object({ path: z.string().optional(), packaging: z.string().optional() }),
        destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
      }),
    )
    .default({}),
});

export type Template = z.infer<typeof templateSchema>;
export type TemplateResource = Template['Resources'][string];
type Artifact = z.infer<typeof manifestSchema>['artifacts'][string];

/** One stack as synthesized: its name and its template, nothing resolved yet. */
export interface AssemblyStack {
  readonly stackName: string;
  readonly template: Template;
}

/** A synthesized CDK application: its stacks, each after those it depends on, and its file assets by S3 object key. */
export interface CloudAssembly {
  readonly stacks: readonly AssemblyStack[];
  /** Absolute paths of files and directories. */
  readonly assets: ReadonlyMap<string, string>;
}

/** Reads `cdk.out`, nested assemblies (stages) included. Rejects with `EmbeddedAwsError` when it is not one. */
export async function loadCloudAssembly(directory: string): Promise<CloudAssembly> {
  const root = resolve(directory);
  const manifest = await readJson(join(root, 'manifest.json'), manifestSchema);
  const stacks: AssemblyStack[] = [];
  const assets = new Map<string, string>();
  for (const id of orderArtifacts(manifest.artifacts)) {
    const artifact = manifest.artifacts[id];
    if (artifact) await loadArtifact(root, id, artifact, stacks, assets);
  }
  return { stacks, assets };
}

function orderArtifacts(artifacts: Readonly<Record<string, Artifact>>): readonly string[] {
  const edges = new Map(Object.entries(artifacts).map(([id, artifact]) => [id, artifact.dependencies]));
  return topologicalOrder(edges, (cycle) => {
    return new EmbeddedAwsError('DependencyCycle', `Stacks depend on each other: ${cycle.join(' -> ')}`);
  });
}

async function loadArtifact(
  root: string,
  id: string,
  artifact: Artifact,
  stacks: AssemblyStack[],
  assets: Map<string, string>,
): Promise<void> {
  const { properties } = artifact;
  if (artifact.type === 'aws:cloudformation:stack') {
    const file = join(root, textProperty(id, properties, 'templateFile'));
    const stackName = typeof properties['stackName'] === 'string' ? properties['stackName'] : id;
    stacks.push({ stackName, template: await readJson(file, templateSchema) });
  } else if (artifact.type === 'cdk:asset-manifest') {
    await loadAssets(root, textProperty(id, properties, 'file'), assets);
  } else if (artifact.type === 'cdk:cloud-assembly') {
    const nested = await loadCloudAssembly(join(root, textProperty(id, properties, 'directoryName')));
    stacks.push(...nested.stacks);
    for (const [key, path] of nested.assets) assets.set(key, path);
  }
}

async function loadAssets(root: string, file: string, assets: Map<string, string>): Promise<void> {
  const manifest = await readJson(join(root, file), assetsSchema);
  for (const { source, destinations } of Object.values(manifest.files)) {
    if (source.path === undefined) continue;
    for (const { objectKey } of Object.values(destinations))
      assets.set(objectKey, resolve(root, source.path));
  }
}

function textProperty(id: string, properties: Readonly<Record<string, unknown>>, name: string): string {
  const value = properties[name];
  if (typeof value === 'string') return value;
  throw new EmbeddedAwsError(
    'InvalidAssembly',
    `manifest.json: artifact ${id} has no ${name}; synthesize again`,
  );
}

async function readJson<Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.output<Schema>> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', ' ') : String(cause);
    const problem = `Cannot read ${file} of the cloud assembly (run "cdk synth" first): ${reason}`;
    throw new EmbeddedAwsError('InvalidAssembly', problem, { cause });
  }
}
