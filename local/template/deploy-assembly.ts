import type { AwsPlace, Log, ProvisionedResource, ResourceProviders, ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { CloudAssembly, TemplateResource } from './cloud-assembly.ts';
import { inertTypes, provideInert } from './inert-resources.ts';
import { referencesIn, resolveIn } from './intrinsics.ts';
import { StackScope } from './stack-scope.ts';
import { topologicalOrder } from './topological-order.ts';
import { isRecord } from './values.ts';

export interface DeployedResource {
  readonly stackName: string;
  readonly type: string;
  readonly logicalId: string;
  readonly ref: string;
}

export interface Deployment {
  readonly resources: readonly DeployedResource[];
  /** Output values by stack name, then output name. */
  readonly outputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

interface DeployOptions {
  readonly place: AwsPlace;
  readonly providers: ResourceProviders;
  readonly log: Log;
}

/**
 * Creates every resource of every stack, each after what it refers to.
 * Rejects with `EmbeddedAwsError`: all unsupported types at once before anything is created; a cycle; an unresolvable
 * reference; or what a provider refuses.
 */
export async function deployAssembly(assembly: CloudAssembly, options: DeployOptions): Promise<Deployment> {
  const exports = new Map<string, string>();
  const scopes = assembly.stacks.map((stack) => new StackScope(stack, options.place, exports));
  refuseUnsupported(scopes, options.providers);
  const resources: DeployedResource[] = [];
  const outputs: Record<string, Readonly<Record<string, string>>> = {};
  for (const scope of scopes) {
    for (const logicalId of creationOrder(scope)) resources.push(await create(scope, logicalId, options));
    outputs[scope.stackName] = stackOutputs(scope, exports);
  }
  return { resources, outputs };
}

function wantedResources(scope: StackScope): readonly (readonly [string, TemplateResource])[] {
  const all = Object.entries(scope.template.Resources);
  return all.filter(([, { Condition }]) => Condition === undefined || scope.condition(Condition));
}

function refuseUnsupported(scopes: readonly StackScope[], providers: ResourceProviders): void {
  const unsupported = scopes.flatMap((scope) =>
    wantedResources(scope)
      .filter(([, { Type }]) => !(Type in providers) && !(Type in inertTypes))
      .map(([logicalId, { Type }]) => `${scope.stackName}/${logicalId} (${Type})`),
  );
  if (unsupported.length === 0) return;
  const problem = `The embedded AWS has no provider for ${unsupported.join(', ')}`;
  throw new EmbeddedAwsError(
    'UnsupportedResourceType',
    `${problem}; leave them out of the stage that runs locally`,
  );
}

function creationOrder(scope: StackScope): readonly string[] {
  const edges = new Map<string, readonly string[]>();
  for (const [logicalId, { Properties, DependsOn = [] }] of wantedResources(scope)) {
    edges.set(logicalId, [DependsOn].flat().concat(...referencesIn(Properties, scope)));
  }
  return topologicalOrder(edges, (cycle) => {
    const problem = `${scope.stackName}: resources depend on each other: ${cycle.join(' -> ')}`;
    return new EmbeddedAwsError('DependencyCycle', problem);
  });
}

async function create(
  scope: StackScope,
  logicalId: string,
  options: DeployOptions,
): Promise<DeployedResource> {
  const resource = scope.template.Resources[logicalId];
  const { stackName } = scope;
  if (!resource) throw new EmbeddedAwsError('InvalidTemplate', `${stackName}: no resource ${logicalId}`);
  const type = resource.Type;
  const created = await provide(scope, logicalId, resource, options).catch((cause: unknown) => {
    if (cause instanceof EmbeddedAwsError && cause.message.includes(logicalId)) throw cause;
    const code = cause instanceof EmbeddedAwsError ? cause.code : 'CreationFailed';
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new EmbeddedAwsError(code, `${stackName}/${logicalId} (${type}): ${problem}`, { cause });
  });
  scope.add(logicalId, created);
  options.log('resource.created', { stackName, logicalId, type, ref: created.ref });
  return { stackName, type, logicalId, ref: created.ref };
}

async function provide(
  scope: StackScope,
  logicalId: string,
  resource: TemplateResource,
  { providers, place }: DeployOptions,
): Promise<ProvisionedResource> {
  const provider = providers[resource.Type];
  // Policies of an inert resource may refer to things that do not exist here, so only its name is resolved.
  const name = inertTypes[resource.Type]?.nameProperty;
  const needed = Object.entries(resource.Properties).filter(
    ([key]) => provider !== undefined || key === name,
  );
  const properties = resolveIn(scope, Object.fromEntries(needed));
  const request: ResourceRequest = {
    stackName: scope.stackName,
    logicalId,
    type: resource.Type,
    properties: isRecord(properties) ? properties : {},
  };
  return provider ? provider(request) : provideInert(request, place);
}

function stackOutputs(scope: StackScope, exports: Map<string, string>): Readonly<Record<string, string>> {
  const outputs: Record<string, string> = {};
  for (const [name, output] of Object.entries(scope.template.Outputs)) {
    if (output.Condition !== undefined && !scope.condition(output.Condition)) continue;
    const resolved = resolveIn(scope, output.Value);
    const value = Array.isArray(resolved) ? resolved.join(',') : String(resolved);
    outputs[name] = value;
    if (output.Export) exports.set(String(resolveIn(scope, output.Export.Name)), value);
  }
  return outputs;
}
