/**
 * Which addresses the control plane may call. A worker names its own URL, so that URL is untrusted: it is checked
 * once as text when the worker registers, and once more for each resolved address at connect (DNS can change).
 */

/** `any`: loopback too (a laptop); `private`: private networks and public ones; `public`: public ones only. */
export type AddressPolicy = 'any' | 'private' | 'public';

export type AddressCheck =
  | { readonly kind: 'ok'; /** Normalised base URL, without a trailing slash. */ readonly url: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** `forbidden` under every policy: instance metadata, link-local, multicast, unspecified. */
type AddressClass = 'forbidden' | 'loopback' | 'private' | 'public';

const RANK: Readonly<Record<AddressClass, number>> = { forbidden: 3, loopback: 2, private: 1, public: 0 };
const HIGHEST: Readonly<Record<AddressPolicy, number>> = { any: 2, private: 1, public: 0 };

const MAX_URL_LENGTH = 2048;

/** First match decides. Azure's wire server and Alibaba's metadata hide among public and shared addresses. */
const IPV4_RANGES: readonly (readonly [network: string, bits: number, AddressClass])[] = [
  ['168.63.129.16', 32, 'forbidden'],
  ['100.100.100.200', 32, 'forbidden'],
  ['192.0.0.0', 24, 'forbidden'],
  ['169.254.0.0', 16, 'forbidden'],
  ['0.0.0.0', 8, 'forbidden'],
  ['224.0.0.0', 3, 'forbidden'],
  ['127.0.0.0', 8, 'loopback'],
  ['10.0.0.0', 8, 'private'],
  ['172.16.0.0', 12, 'private'],
  ['192.168.0.0', 16, 'private'],
  ['100.64.0.0', 10, 'private'],
  ['198.18.0.0', 15, 'private'],
];

const ipv4Number = (text: string): number | undefined => {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
};

const classOfIpv4 = (address: number): AddressClass => {
  const range = IPV4_RANGES.find(([network, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(address / size) === Math.floor((ipv4Number(network) ?? -1) / size);
  });
  return range?.[2] ?? 'public';
};

/** The eight 16-bit words, or undefined. The URL parser brings every spelling to one. */
const ipv6Words = (text: string): readonly number[] | undefined => {
  const bare = text.split('%')[0] ?? '';
  if (!/^[\da-f:.]*:[\da-f:.]*$/i.test(bare) || !URL.canParse(`http://[${bare}]/`)) return undefined;
  const [head = '', tail] = new URL(`http://[${bare}]/`).hostname.slice(1, -1).split('::');
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  if (tail === undefined) return words(head);
  const zeros = 8 - words(head).length - words(tail).length;
  return [...words(head), ...Array<number>(zeros).fill(0), ...words(tail)];
};

const startsWith = (words: readonly number[], prefix: readonly number[]): boolean =>
  prefix.every((word, index) => words[index] === word);

/** Where an IPv4 address stands inside an IPv6 one: the word at which it starts. */
const EMBEDDINGS: readonly (readonly [prefix: readonly number[], at: number])[] = [
  [[0, 0, 0, 0, 0, 0xffff], 6],
  [[0, 0, 0, 0, 0xffff, 0], 6],
  [[0x64, 0xff9b, 0, 0, 0, 0], 6],
  [[0x2002], 1],
  [[0, 0, 0, 0, 0, 0], 6],
];

/** Metadata of AWS (and its pod identity) and of Google; Teredo and local NAT64 hide an IPv4 address. */
const FORBIDDEN_IPV6: readonly (readonly number[])[] = [
  [0xfd00, 0xec2],
  [0xfd20, 0xce],
  [0x2001, 0],
  [0x64, 0xff9b, 1],
];

const classOfIpv6 = (words: readonly number[]): AddressClass => {
  const first = words[0] ?? 0;
  if (startsWith(words, [0, 0, 0, 0, 0, 0, 0])) return words[7] === 1 ? 'loopback' : 'forbidden';
  if (FORBIDDEN_IPV6.some((prefix) => startsWith(words, prefix))) return 'forbidden';
  if (first >= 0xff00 || (first & 0xffc0) === 0xfe80) return 'forbidden';
  const embedding = EMBEDDINGS.find(([prefix]) => startsWith(words, prefix));
  if (embedding !== undefined) {
    const [, at] = embedding;
    return classOfIpv4((words[at] ?? 0) * 65_536 + (words[at + 1] ?? 0));
  }
  return (first & 0xfe00) === 0xfc00 || (first & 0xffc0) === 0xfec0 ? 'private' : 'public';
};

/** Undefined when the text is no IP address. */
const classOfAddress = (ip: string): AddressClass | undefined => {
  const ipv4 = ipv4Number(ip);
  if (ipv4 !== undefined) return classOfIpv4(ipv4);
  const words = ipv6Words(ip);
  return words === undefined ? undefined : classOfIpv6(words);
};

const allows = (policy: AddressPolicy, addressClass: AddressClass): boolean =>
  RANK[addressClass] <= HIGHEST[policy];

/** The check at connect: of one resolved address. What is no IP address is not allowed. */
export const isAddressAllowed = (ip: string, policy: AddressPolicy): boolean => {
  const addressClass = classOfAddress(ip);
  return addressClass !== undefined && allows(policy, addressClass);
};

const METADATA_NAMES = new Set(['metadata.google.internal', 'instance-data.ec2.internal']);

/** What a name says before it is resolved. */
const classOfName = (name: string): AddressClass => {
  if (METADATA_NAMES.has(name)) return 'forbidden';
  if (name === 'localhost' || name.endsWith('.localhost') || name.endsWith('.localdomain')) return 'loopback';
  return name.endsWith('.internal') || name.endsWith('.local') ? 'private' : 'public';
};

const classOfHost = (hostname: string): AddressClass => {
  const name = hostname.replace(/\.$/, '');
  return classOfAddress(name.replace(/^\[|\]$/g, '')) ?? classOfName(name);
};

const refused = (reason: string): AddressCheck => ({ kind: 'refused', reason });

/** Checks a worker's base URL as text. A path is allowed: proxies put workers under one. */
export const checkWorkerAddress = (url: string, policy: AddressPolicy): AddressCheck => {
  if (url.length > MAX_URL_LENGTH) return refused(`the URL is longer than ${MAX_URL_LENGTH} characters`);
  if (!URL.canParse(url)) return refused('this is no URL');
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
    return refused('the scheme must be http or https');
  if (parsed.username !== '' || parsed.password !== '')
    return refused('the URL must not carry a user or a password');
  if (/[?#]/.test(url)) return refused('the URL must have no query and no fragment');
  const addressClass = classOfHost(parsed.hostname);
  if (!allows(policy, addressClass)) {
    return refused(`${parsed.hostname} is ${addressClass}; the policy "${policy}" does not allow that`);
  }
  return { kind: 'ok', url: `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '') };
};
