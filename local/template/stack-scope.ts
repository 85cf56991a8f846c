import type { AwsPlace, ProvisionedResource } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import type { AssemblyStack, Template } from './cloud-assembly.ts';
import type { IntrinsicScope } from './intrinsics.ts';
import { evaluate, NO_VALUE } from './intrinsics.ts';

/** Names and values that one stack can refer to while it is being created. */
export class StackScope implements IntrinsicScope {
  readonly region: string;
  readonly stackName: string;
  readonly template: Template;
  readonly #pseudo: Readonly<Record<string, unknown>>;
  readonly #exports: ReadonlyMap<string, string>;
  readonly #created = new Map<string, ProvisionedResource>();
  readonly #conditions = new Map<string, boolean>();

  /** `exports` is shared by all stacks and grows as they are created. */
  constructor(stack: AssemblyStack, place: AwsPlace, exports: ReadonlyMap<string, string>) {
    this.region = place.region;
    this.stackName = stack.stackName;
    this.template = stack.template;
    this.#exports = exports;
    this.#pseudo = {
      'AWS::AccountId': place.accountId,
      'AWS::NoValue': NO_VALUE,
      'AWS::NotificationARNs': [],
      'AWS::Partition': 'aws',
      'AWS::Region': place.region,
      'AWS::StackId': `arn:aws:cloudformation:${place.region}:${place.accountId}:stack/${stack.stackName}/local`,
      'AWS::StackName': stack.stackName,
      'AWS::URLSuffix': 'amazonaws.com',
    };
  }

  /** Makes the resource known to `Ref` and `Fn::GetAtt`. */
  add(logicalId: string, resource: ProvisionedResource): void {
    this.#created.set(logicalId, resource);
  }

  ref(name: string): unknown {
    if (name in this.#pseudo) return this.#pseudo[name];
    const created = this.#created.get(name);
    if (created) return created.ref;
    return this.#parameter(name);
  }

  attribute(logicalId: string, name: string): string {
    const created = this.#created.get(logicalId);
    if (!created)
      throw this.#unknown(`Fn::GetAtt ${logicalId}.${name}`, 'no such resource exists in this stack');
    const value = created.attributes[name];
    if (value === undefined) {
      const known = Object.keys(created.attributes).join(', ');
      throw this.#unknown(`Fn::GetAtt ${logicalId}.${name}`, `the resource only has ${known}`);
    }
    return value;
  }

  mapping(map: string, first: string, second: string): unknown {
    const value = this.template.Mappings[map]?.[first]?.[second];
    if (value === undefined)
      throw this.#unknown(`Fn::FindInMap ${map}.${first}.${second}`, 'Mappings has no such entry');
    return value;
  }

  condition(name: string): boolean {
    const known = this.#conditions.get(name);
    if (known !== undefined) return known;
    const definition = this.template.Conditions[name];
    if (definition === undefined) throw this.#unknown(`condition ${name}`, 'Conditions has no such entry');
    const value = evaluate(definition, this);
    this.#conditions.set(name, value);
    return value;
  }

  importValue(name: string): string {
    const value = this.#exports.get(name);
    if (value === undefined)
      throw this.#unknown(`Fn::ImportValue ${name}`, 'no stack before this one exports it');
    return value;
  }

  #parameter(name: string): unknown {
    const parameter = this.template.Parameters[name];
    if (!parameter) throw this.#unknown(`Ref ${name}`, 'no such resource or parameter exists in this stack');
    if (parameter.Type.startsWith('AWS::SSM::'))
      throw this.#unknown(`Ref ${name}`, 'SSM parameters cannot be looked up');
    if (parameter.Default === undefined)
      throw this.#unknown(`Ref ${name}`, 'the parameter has no Default; give it one');
    const isList = parameter.Type === 'CommaDelimitedList' || parameter.Type.startsWith('List<');
    return isList
      ? String(parameter.Default)
          .split(',')
          .map((item) => item.trim())
      : parameter.Default;
  }

  #unknown(what: string, why: string): EmbeddedAwsError {
    return new EmbeddedAwsError(
      'UnresolvedReference',
      `${this.stackName}: ${what} cannot be resolved: ${why}`,
    );
  }
}
