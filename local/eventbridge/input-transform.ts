/** What a target receives of an event: all of it, a part, a constant, or a template filled in. */
import { isLosslessNumber, parse, stringify } from 'lossless-json';
import type { Target } from './rule.ts';

export interface TransformContext {
  readonly ruleArn: string;
  readonly ruleName: string;
  readonly ingestionTime: string;
}

/** The text for the target. Throws when the path or template cannot be applied to this event. */
export function targetInput(target: Target, eventText: string, context: TransformContext): string {
  if (target.Input !== undefined) return target.Input;
  if (target.InputPath !== undefined) return jsonText(readPath(parse(eventText), target.InputPath) ?? null);
  if (target.InputTransformer === undefined) return eventText;
  const { InputPathsMap = {}, InputTemplate } = target.InputTransformer;
  return fillTemplate(InputTemplate, variables(InputPathsMap, eventText, context));
}

type Variables = ReadonlyMap<string, unknown>;

/** A value that is JSON text already and goes in as it is. */
class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function variables(
  paths: Readonly<Record<string, string>>,
  eventText: string,
  context: TransformContext,
): Variables {
  const event = parse(eventText);
  const found = Object.entries(paths).map(([name, path]): [string, unknown] => [name, readPath(event, path)]);
  const { detail: _, ...withoutDetail } = event as Record<string, unknown>;
  return new Map<string, unknown>([
    ...found,
    ['aws.events.rule-arn', context.ruleArn],
    ['aws.events.rule-name', context.ruleName],
    ['aws.events.event.ingestion-time', context.ingestionTime],
    ['aws.events.event', new RawJson(jsonText(withoutDetail))],
    ['aws.events.event.json', new RawJson(eventText)],
  ]);
}

/** Dotted names, `['name']`, array indexes and `*`. Undefined when the event has no such value. */
export function readPath(value: unknown, path: string): unknown {
  const steps = [...path.slice(1).matchAll(/\.([^.[\]]+)|\[(\d+|\*)\]|\[['"]([^'"]+)['"]\]/g)];
  return steps.reduce<unknown>(
    (at, [, name, index, quoted]) => readStep(at, name ?? index ?? quoted ?? ''),
    value,
  );
}

function readStep(value: unknown, step: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (step === '*') return Object.values(value);
  return Object.hasOwn(value, step) ? (value as Record<string, unknown>)[step] : undefined;
}

/**
 * Outside quotes a variable becomes a JSON value, inside them the escaped text of it.
 * A template that is not JSON (plain text with variables) gets the text unquoted. A missing value is empty text.
 */
function fillTemplate(template: string, values: Variables): string {
  const isJson = /^\s*[{["]/.test(template);
  let quoted = false;
  return template.replaceAll(/\\.|"|<([A-Za-z0-9._-]+)>/gs, (token, name: string | undefined) => {
    if (token === '"') quoted = !quoted;
    if (name === undefined || !values.has(name)) return token;
    const value = values.get(name) ?? '';
    return isJson && !quoted ? jsonText(value) : plainText(value, isJson);
  });
}

function plainText(value: unknown, escape: boolean): string {
  if (value instanceof RawJson) return value.text;
  const text = typeof value === 'string' ? value : jsonText(value);
  return escape ? JSON.stringify(text).slice(1, -1) : text;
}

function jsonText(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (isLosslessNumber(value)) return value.toString();
  return stringify(value) ?? 'null';
}
