import { expect, test } from '@jest/globals';
import { evaluatePolicy } from './iam-policy.ts';

const resource = 'arn:aws:execute-api:eu-west-1:1:api/dev/$connect';
const statement = (Effect: string, Resource: unknown, Action: unknown = 'execute-api:Invoke') => ({
  Effect,
  Resource,
  Action,
});

test.each([
  ['the exact resource', [statement('Allow', resource)], 'allow'],
  ['a wildcard', [statement('Allow', 'arn:aws:execute-api:*:*:api/*')], 'allow'],
  ['a question mark', [statement('Allow', resource.replace('dev', '?ev'))], 'allow'],
  ['a list of actions', [statement('Allow', [resource], ['s3:Get', 'execute-api:*'])], 'allow'],
  ['a single statement', statement('Allow', '*'), 'allow'],
  ['another resource', [statement('Allow', `${resource}x`)], 'deny'],
  ['a dot that is not a wildcard', [statement('Allow', resource.replace('-', '.'))], 'deny'],
  ['deny after allow', [statement('Allow', '*'), statement('Deny', '*')], 'deny'],
  ['no statement', [], 'deny'],
  ['a wrong effect', [statement('allow', '*')], 'malformed'],
  ['a resource that is a number', [statement('Allow', 1)], 'malformed'],
  ['a statement that is text', ['x'], 'malformed'],
])('%s', (_name, Statement, verdict) => {
  expect(evaluatePolicy({ Statement }, resource)).toBe(verdict);
});

test.each([undefined, null, 'x', []])('a policy that is %p is malformed', (document) => {
  expect(evaluatePolicy(document, resource)).toBe('malformed');
});
