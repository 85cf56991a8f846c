import { isPlainObject } from './properties.ts';

export type PolicyVerdict = 'allow' | 'deny' | 'malformed';

/** Whether an authorizer's policy allows `execute-api:Invoke` on `resource`; an explicit Deny wins, silence denies. */
export function evaluatePolicy(document: unknown, resource: string): PolicyVerdict {
  if (!isPlainObject(document)) return 'malformed';
  const statements = Array.isArray(document['Statement']) ? document['Statement'] : [document['Statement']];
  let verdict: PolicyVerdict = 'deny';
  for (const statement of statements as readonly unknown[]) {
    if (!isPlainObject(statement)) return 'malformed';
    const actions = texts(statement['Action']);
    const resources = texts(statement['Resource']);
    if (!actions || !resources || !['Allow', 'Deny'].includes(String(statement['Effect'])))
      return 'malformed';
    // Conditions would need the whole IAM language; guessing at one could let somebody in.
    if (statement['Condition'] !== undefined) return 'malformed';
    if (!actions.some((action) => matches(action.toLowerCase(), 'execute-api:invoke'))) continue;
    if (!resources.some((pattern) => matches(pattern, resource))) continue;
    if (statement['Effect'] === 'Deny') return 'deny';
    verdict = 'allow';
  }
  return verdict;
}

function texts(value: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.every((item): item is string => typeof item === 'string') ? list : undefined;
}

/** `*` is any run of characters, slashes included; `?` is one. */
function matches(pattern: string, text: string): boolean {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll(/\*+/g, '.*').replaceAll('?', '.')}$`, 's').test(text);
}
