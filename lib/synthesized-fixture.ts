/** For the tests of this folder: the template of a stage, synthesized without the functions being built. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App } from 'aws-cdk-lib/core';
import { functionNames, type FunctionName } from './function-specs.ts';
import { addPipeline, createApp } from './pipeline-app.ts';
import type { StageName } from './stage-config.ts';

export type Properties = Readonly<Record<string, unknown>>;

export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Properties;
}

export interface Statement {
  readonly effect: string;
  readonly actions: readonly string[];
  readonly resources: readonly unknown[];
  readonly principal: unknown;
  readonly condition: unknown;
}

interface CfnResource {
  readonly Type: string;
  readonly Properties?: Properties;
}

/** An empty folder, which goes with the end of `use`. */
export const withFolder = <T>(use: (folder: string) => T): T => {
  const folder = mkdtempSync(join(tmpdir(), 'pipeline-template-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const writeAssets = (folder: string): string => {
  for (const name of functionNames) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'index.mjs'), `export const handler = async () => '${name}';\n`);
  }
  return folder;
};

const writePage = (folder: string): string => {
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(
    join(folder, 'index.html'),
    '<!doctype html>\n<html lang="en">\n  <head>\n    <script type="module" src="/assets/index-0a1b2c3d.js"></script>\n  </head>\n</html>\n',
  );
  writeFileSync(join(folder, 'assets', 'index-0a1b2c3d.js'), 'export {};\n');
  return folder;
};

/** Runs `use` on the app of a stage, before it is synthesized. */
export const withApp = <T>(
  stage: StageName,
  use: (app: App) => T,
  inputs: Readonly<Record<string, string>> = {},
): T =>
  withFolder((folder) => {
    const issued = { jwtIssuer: 'https://issuer.example.com', jwtAudience: 'comfyui' };
    const context = { stage, ...issued, ...inputs };
    const stageApp = createApp({ outdir: join(folder, 'out'), context });
    addPipeline(stageApp, writeAssets(join(folder, 'functions')), writePage(join(folder, 'page')));
    return use(stageApp.app);
  });

/** A template, and the questions that tests ask of it. */
export class Template {
  readonly json: Readonly<Record<string, unknown>>;
  readonly resources: readonly Resource[];

  /** @param inputs what a deployment would say with `-c` */
  constructor(stage: StageName, inputs: Readonly<Record<string, string>> = {}) {
    const name = `${stage}-comfyui-pipeline`;
    this.json = withApp(stage, (app) => app.synth().getStackByName(name).template as Properties, inputs);
    const resources = this.json['Resources'] as Readonly<Record<string, CfnResource>>;
    this.resources = Object.entries(resources).map(([logicalId, { Type, Properties: properties = {} }]) => ({
      logicalId,
      type: Type,
      properties,
    }));
  }

  ofType(type: string): readonly Resource[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  get(logicalId: string): Resource {
    const found = this.resources.find((resource) => resource.logicalId === logicalId);
    if (found === undefined) throw new Error(`no resource ${logicalId}`);
    return found;
  }

  /** Those of `functions/`: CDK's own function, which copies the page at deployment, has no name. */
  functions(): readonly Resource[] {
    return this.ofType('AWS::Lambda::Function').filter(
      ({ properties }) => properties['FunctionName'] !== undefined,
    );
  }

  /** The Lambda of one folder of `functions/`. */
  function(name: FunctionName): Resource {
    const found = this.functions().find(({ properties }) =>
      String(properties['FunctionName']).endsWith(`-comfyui-${name}`),
    );
    if (found === undefined) throw new Error(`no function ${name}`);
    return found;
  }

  /** Every statement of the policies of one function's role. */
  statementsOf(name: FunctionName): readonly Statement[] {
    const role = referenceOf(this.function(name).properties['Role']);
    return this.ofType('AWS::IAM::Policy')
      .filter(({ properties }) => (properties['Roles'] as unknown[]).some((ref) => referenceOf(ref) === role))
      .flatMap(statementsIn);
  }
}

/** The logical id that a `Ref` or `Fn::GetAtt` points to. */
export const referenceOf = (value: unknown): string | undefined => {
  const reference = value as { Ref?: string; 'Fn::GetAtt'?: readonly string[] };
  return reference.Ref ?? reference['Fn::GetAtt']?.[0];
};

const listOf = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

/** Every statement of a policy resource of any kind, role trust included. */
export const statementsIn = ({ properties }: Resource): readonly Statement[] =>
  ['PolicyDocument', 'AssumeRolePolicyDocument', 'Statement'].flatMap((key) => {
    const document = properties[key] as { Statement?: unknown } | undefined;
    if (document === undefined) return [];
    const statements = listOf(document.Statement ?? document) as readonly Readonly<Record<string, unknown>>[];
    return statements.map((statement) => ({
      effect: String(statement['Effect']),
      actions: listOf(statement['Action'] as string),
      resources: listOf(statement['Resource'] ?? []),
      principal: statement['Principal'],
      condition: statement['Condition'],
    }));
  });
