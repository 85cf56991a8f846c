import { isIPv4, isIPv6 } from 'node:net';
import { EventPatternError } from './event-pattern-error.ts';

type Address = { readonly bits: 32 | 128; readonly value: bigint };

/** From the address up to the last one with the same mask, as EventBridge does; v4 never matches v6. */
export function cidrTest(cidr: string, path: string): (text: string) => boolean {
  const [base = '', mask = '', ...more] = cidr.split('/');
  if (mask === '' || more.length > 0) throw new EventPatternError("Malformed CIDR, one '/' required", path);
  const address = parseAddress(base);
  if (!address) throw new EventPatternError(`Nonstandard IP address: ${base}`, path);
  if (!/^\d{1,3}$/.test(mask))
    throw new EventPatternError('Malformed CIDR, mask bits must be an integer', path);
  const maskBits = Number(mask);
  if (maskBits >= address.bits) {
    throw new EventPatternError(`Malformed CIDR, mask bits must be < ${address.bits}`, path);
  }
  const top = address.value | ((1n << BigInt(address.bits - maskBits)) - 1n);
  return (text) => {
    const candidate = parseAddress(text);
    return candidate?.bits === address.bits && candidate.value >= address.value && candidate.value <= top;
  };
}

/** A pattern text that is an IP address matches every spelling of that address; undefined for other text. */
export function ipEqualsTest(text: string): ((value: unknown) => boolean) | undefined {
  const address = parseAddress(text);
  if (!address) return undefined;
  return (value) => {
    if (value === text) return true;
    const candidate = typeof value === 'string' ? parseAddress(value) : undefined;
    return candidate?.bits === address.bits && candidate.value === address.value;
  };
}

function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { bits: 32, value: v4Value(text) };
  if (isIPv6(text) && !text.includes('%')) return { bits: 128, value: v6Value(text) };
  return undefined;
}

function v4Value(text: string): bigint {
  return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function v6Value(text: string): bigint {
  const [head = '', tail] = withHexTail(text).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** Rewrites a trailing dotted quad (`::ffff:10.0.0.1`) as two hexadecimal groups. */
function withHexTail(text: string): string {
  const cut = text.lastIndexOf(':') + 1;
  const last = text.slice(cut);
  if (!last.includes('.')) return text;
  const value = v4Value(last);
  return `${text.slice(0, cut)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}
