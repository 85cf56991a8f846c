import { EmbeddedAwsError } from '../contract.ts';
import { isRecord, text } from './values.ts';

/** What an intrinsic function may ask of the stack it stands in. */
export interface IntrinsicScope {
  readonly region: string;
  /** A parameter, a pseudo parameter or a resource already created. `NO_VALUE` for `AWS::NoValue`. */
  ref(name: string): unknown;
  attribute(logicalId: string, name: string): unknown;
  mapping(map: string, first: string, second: string): unknown;
  condition(name: string): boolean;
  importValue(name: string): unknown;
}

/** What `Ref: AWS::NoValue` answers: the property or list item that holds it disappears. */
export const NO_VALUE = Symbol('AWS::NoValue');

type Intrinsic = (argument: unknown, scope: IntrinsicScope) => unknown;

const intrinsics: Readonly<Record<string, Intrinsic>> = {
  Ref: (argument, scope) => scope.ref(text(argument, 'Ref')),
  'Fn::GetAtt': (argument, scope) => {
    const [logicalId, ...attribute] = attributePath(argument, scope);
    return scope.attribute(logicalId, attribute.join('.'));
  },
  'Fn::Join': (argument, scope) => {
    const [separator, items] = list(argument, scope, 'Fn::Join', 2);
    if (!Array.isArray(items)) throw misuse('Fn::Join', 'joins a list');
    return items.map((item) => scalar(item, 'Fn::Join')).join(text(separator, 'Fn::Join'));
  },
  'Fn::Sub': (argument, scope) => substitute(argument, scope),
  'Fn::Select': (argument, scope) => {
    const [index, items] = list(argument, scope, 'Fn::Select', 2);
    const chosen: unknown = Array.isArray(items) ? items[Number(index)] : undefined;
    if (chosen === undefined) throw misuse('Fn::Select', `finds no item ${String(index)}`);
    return chosen;
  },
  'Fn::Split': (argument, scope) => {
    const [separator, source] = list(argument, scope, 'Fn::Split', 2);
    return text(source, 'Fn::Split').split(text(separator, 'Fn::Split'));
  },
  'Fn::FindInMap': (argument, scope) => {
    const keys = list(argument, scope, 'Fn::FindInMap', 3).map((key) => scalar(key, 'Fn::FindInMap'));
    return scope.mapping(keys[0] ?? '', keys[1] ?? '', keys[2] ?? '');
  },
  'Fn::If': (argument, scope) => resolveIn(scope, branch(argument, scope)),
  'Fn::Equals': (argument, scope) => {
    const [left, right] = list(argument, scope, 'Fn::Equals', 2);
    return String(left) === String(right);
  },
  'Fn::And': (argument, scope) => operands(argument, 'Fn::And').every((each) => evaluate(each, scope)),
  'Fn::Or': (argument, scope) => operands(argument, 'Fn::Or').some((each) => evaluate(each, scope)),
  'Fn::Not': (argument, scope) => !evaluate(operands(argument, 'Fn::Not')[0], scope),
  'Fn::ImportValue': (argument, scope) =>
    scope.importValue(text(resolveIn(scope, argument), 'Fn::ImportValue')),
  'Fn::Base64': (argument, scope) =>
    Buffer.from(text(resolveIn(scope, argument), 'Fn::Base64')).toString('base64'),
  'Fn::GetAZs': (argument, scope) => {
    const region = scalar(resolveIn(scope, argument), 'Fn::GetAZs') || scope.region;
    return ['a', 'b', 'c'].map((zone) => `${region}${zone}`);
  },
};

/** The value with every intrinsic function replaced. Throws `EmbeddedAwsError` on one that cannot be answered. */
export function resolveIn(scope: IntrinsicScope, value: unknown): unknown {
  if (typeof value === 'string') return withoutDynamicReference(value);
  if (Array.isArray(value)) {
    return value.map((item) => resolveIn(scope, item)).filter((item) => item !== NO_VALUE);
  }
  if (!isRecord(value)) return value;
  const call = intrinsicOf(value);
  if (call) return call.run(call.argument, scope);
  const resolved = Object.entries(value).map(([key, item]) => [key, resolveIn(scope, item)] as const);
  return Object.fromEntries(resolved.filter(([, item]) => item !== NO_VALUE));
}

/** A condition's truth, `{"Condition": name}` understood. */
export function evaluate(value: unknown, scope: IntrinsicScope): boolean {
  if (isRecord(value) && typeof value['Condition'] === 'string') return scope.condition(value['Condition']);
  const resolved = resolveIn(scope, value);
  if (typeof resolved !== 'boolean')
    throw misuse('Conditions', `hold ${JSON.stringify(value)}, which is no condition`);
  return resolved;
}

/** Logical ids (and parameter names) the value refers to; of `Fn::If` only the branch that is taken. */
export function* referencesIn(value: unknown, scope: IntrinsicScope): Generator<string> {
  if (Array.isArray(value)) {
    for (const item of value) yield* referencesIn(item, scope);
  } else if (isRecord(value)) {
    const [key, argument] = Object.entries(value)[0] ?? [];
    if (!intrinsicOf(value)) for (const item of Object.values(value)) yield* referencesIn(item, scope);
    else if (key === 'Ref') yield text(argument, 'Ref');
    else if (key === 'Fn::GetAtt') yield attributePath(argument, scope)[0];
    else if (key === 'Fn::If') yield* referencesIn(branch(argument, scope), scope);
    else yield* argumentReferences(key, argument, scope);
  }
}

function* argumentReferences(
  key: string | undefined,
  argument: unknown,
  scope: IntrinsicScope,
): Generator<string> {
  if (key === 'Fn::Sub') {
    const { template, variables } = substitution(argument);
    for (const name of placeholders(template)) if (!(name in variables)) yield name.split('.')[0] ?? name;
    yield* referencesIn(variables, scope);
  } else {
    yield* referencesIn(argument, scope);
  }
}

function intrinsicOf(
  value: Readonly<Record<string, unknown>>,
): { run: Intrinsic; argument: unknown } | undefined {
  const keys = Object.keys(value);
  const [key] = keys;
  if (keys.length !== 1 || key === undefined || (key !== 'Ref' && !key.startsWith('Fn::'))) return undefined;
  const run = intrinsics[key];
  if (!run) throw misuse(key, 'is not supported by the embedded CloudFormation');
  return { run, argument: value[key] };
}

const placeholder = /\$\{([^!}][^}]*)\}/g;

function placeholders(template: string): readonly string[] {
  return [...template.matchAll(placeholder)].map((match) => (match[1] ?? '').trim());
}

function substitute(argument: unknown, scope: IntrinsicScope): string {
  const { template, variables } = substitution(argument);
  const filled = template.replaceAll(placeholder, (_, expression: string) => {
    const name = expression.trim();
    if (name in variables) return scalar(resolveIn(scope, variables[name]), 'Fn::Sub');
    const [logicalId = name, ...attribute] = name.split('.');
    const value = attribute.length > 0 ? scope.attribute(logicalId, attribute.join('.')) : scope.ref(name);
    return scalar(value, `Fn::Sub of ${name}`);
  });
  return filled.replaceAll('${!', '${');
}

function substitution(argument: unknown): { template: string; variables: Readonly<Record<string, unknown>> } {
  if (typeof argument === 'string') return { template: argument, variables: {} };
  const [template, variables] = operands(argument, 'Fn::Sub');
  return { template: text(template, 'Fn::Sub'), variables: isRecord(variables) ? variables : {} };
}

function attributePath(argument: unknown, scope: IntrinsicScope): readonly [string, ...string[]] {
  const parts = typeof argument === 'string' ? argument.split('.') : operands(argument, 'Fn::GetAtt');
  const [logicalId, ...attribute] = parts.map((part) =>
    text(isRecord(part) ? resolveIn(scope, part) : part, 'Fn::GetAtt'),
  );
  if (logicalId === undefined || attribute.length === 0)
    throw misuse('Fn::GetAtt', 'needs a resource and an attribute');
  return [logicalId, ...attribute];
}

function branch(argument: unknown, scope: IntrinsicScope): unknown {
  const [name, whenTrue, whenFalse] = operands(argument, 'Fn::If');
  return scope.condition(text(name, 'Fn::If')) ? whenTrue : whenFalse;
}

function list(argument: unknown, scope: IntrinsicScope, name: string, length: number): readonly unknown[] {
  const resolved = resolveIn(scope, argument);
  if (!Array.isArray(resolved) || resolved.length < length) throw misuse(name, `needs a list of ${length}`);
  return resolved;
}

function operands(argument: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(argument)) throw misuse(name, 'needs a list');
  return argument;
}

function scalar(value: unknown, name: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  throw misuse(name, 'meets a value that is no text');
}

function withoutDynamicReference(value: string): string {
  if (!value.includes('{{resolve:')) return value;
  throw misuse(
    value,
    'is a dynamic reference, which the embedded CloudFormation cannot look up; pass the value itself',
  );
}

function misuse(name: string, problem: string): EmbeddedAwsError {
  return new EmbeddedAwsError('InvalidTemplate', `${name} ${problem}`);
}
