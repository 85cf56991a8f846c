/** Brings plain input values to the declared type, as the recordings show it (`8` becomes `8.0`), and checks bounds. */
import type { InputSpec } from './node-catalogue.ts';
import type { JsonObject } from './python-json.ts';
import { isNumeric, pyFloat, pyInt, pythonRepr, toDouble } from './python-json.ts';
import type { ErrorItem } from './validation-error.ts';

/** Changes `inputs` in place. `ownCheck`: the class judges its values itself, so choices are not compared. */
export function coerceValue(spec: InputSpec, inputs: JsonObject, ownCheck: boolean): ErrorItem | null {
  const value = inputs[spec.name];
  const typed = toDeclaredType(spec.type, value);
  if (typed === undefined) return invalidType(spec, value);
  inputs[spec.name] = typed;
  return outOfBounds(spec, typed) ?? (ownCheck ? null : notInList(spec, typed));
}

function toDeclaredType(type: string, value: unknown): unknown {
  switch (type) {
    case 'INT':
      return toInt(value);
    case 'FLOAT':
      return toFloat(value);
    case 'STRING':
      return typeof value === 'string' ? value : pythonRepr(value);
    case 'BOOLEAN':
      return toBoolean(value);
    default:
      return value;
  }
}

function toInt(value: unknown): unknown {
  const text = typeof value === 'string' ? value.trim() : isNumeric(value) ? String(value) : '';
  if (/^[+-]?\d{1,4000}$/.test(text)) return pyInt(BigInt(text));
  if (typeof value === 'boolean') return pyInt(value ? 1n : 0n);
  const double = typeof value === 'string' ? Number.NaN : toDouble(value);
  return Number.isFinite(double) ? pyInt(BigInt(Math.trunc(double))) : undefined;
}

function toFloat(value: unknown): unknown {
  const double = typeof value === 'string' && value.trim() !== '' ? Number(value) : toDouble(value);
  if (typeof value === 'boolean') return pyFloat(value ? 1 : 0);
  return Number.isNaN(double) ? undefined : pyFloat(double);
}

function toBoolean(value: unknown): boolean {
  if (isNumeric(value)) return toDouble(value) !== 0;
  return value !== '' && value !== false && value !== null;
}

function invalidType(spec: InputSpec, value: unknown): ErrorItem {
  return {
    type: 'invalid_input_type',
    message: `Cannot turn the received value into ${spec.type}`,
    details: `${spec.name}, ${pythonRepr(value)}`,
    extra_info: {
      input_name: spec.name,
      input_config: spec.raw,
      received_value: value,
      exception_message: `no ${spec.type}: ${pythonRepr(value)}`,
    },
  };
}

function outOfBounds(spec: InputSpec, value: unknown): ErrorItem | null {
  const { min, max } = spec.config;
  if (min !== undefined && compare(value, min) < 0) {
    return boundProblem('value_smaller_than_min', 'below', 'the least allowed', min, spec, value);
  }
  if (max !== undefined && compare(value, max) > 0) {
    return boundProblem('value_bigger_than_max', 'above', 'the most allowed', max, spec, value);
  }
  return null;
}

/** Exact for whole numbers of any size. NaN compares as equal, like every comparison with it is false in Python. */
function compare(a: unknown, b: unknown): number {
  const [left, right] = [String(a), String(b)];
  if (/^-?\d+$/.test(left) && /^-?\d+$/.test(right)) {
    const difference = BigInt(left) - BigInt(right);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  return toDouble(a) - toDouble(b) || 0;
}

function boundProblem(
  type: string,
  word: string,
  bound: string,
  limit: unknown,
  spec: InputSpec,
  value: unknown,
): ErrorItem {
  return {
    type,
    message: `${String(value)} is ${word} ${bound} ${String(limit)}`,
    details: spec.name,
    extra_info: { input_name: spec.name, input_config: spec.raw, received_value: value },
  };
}

const LONG_LIST = 20;

function notInList(spec: InputSpec, value: unknown): ErrorItem | null {
  if (!spec.options || spec.options.some((option) => pythonRepr(option) === pythonRepr(value))) return null;
  const long = spec.options.length > LONG_LIST;
  const list = long ? `(list of length ${spec.options.length})` : pythonRepr(spec.options);
  return {
    type: 'value_not_in_list',
    message: 'Value not in list',
    details: `${spec.name}: ${pythonRepr(value)} not in ${list}`,
    extra_info: {
      input_name: spec.name,
      input_config: long ? null : spec.raw,
      received_value: value,
    },
  };
}
