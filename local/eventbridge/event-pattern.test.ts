import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { compileEventPattern, compileEventPatternText } from './event-pattern.ts';

const EVENT = {
  version: '0',
  id: 'ddddd4-aaaa-7777-4444-345dd43cc333',
  'detail-type': 'EC2 Instance State-change Notification',
  source: 'aws.ec2',
  account: '012345679012',
  time: '2017-10-02T16:24:49Z',
  region: 'us-east-1',
  resources: ['arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000'],
  detail: {
    'c-count': 5,
    'd-count': 3,
    'x-limit': 301.8,
    'source-ip': '10.0.0.33',
    'v6-ip': '2001:db8::7',
    'instance-id': 'i-000000aaaaaa00000',
    state: 'running',
    eventVersion: '',
    responseElements: null,
    flag: true,
    off: false,
    'text-number': '5',
    FilePath: 'dir/lib/picture.png',
    starred: 'a*b\\c',
    list: ['red', 'green'],
    numbers: [1, 2, 3],
    mixed: ['x', 7, null, true],
    none: [],
    nested: { deep: { leaf: 'value' } },
    empty: {},
    employees: [
      { firstName: 'Anna', lastName: 'Smith', roles: [{ name: 'dev', level: 1 }] },
      {
        firstName: 'Peter',
        lastName: 'Jones',
        roles: [
          { name: 'ops', level: 2 },
          { name: 'dev', level: 3 },
        ],
      },
    ],
    grid: [[{ a: 1, b: 2 }], [{ a: 3, b: 4 }]],
    percent: 33.333333,
  },
};

const detail = (pattern: unknown) => ({ detail: pattern });

const MATCHING: [string, unknown][] = [
  ['exact text', { source: ['aws.ec2'] }],
  ['one of several values', detail({ state: ['initializing', 'running'] })],
  [
    'a value in an array of the event',
    { resources: ['arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000'] },
  ],
  ['intersecting arrays', detail({ list: ['green', 'blue'] })],
  ['several fields at once', { source: ['aws.ec2'], detail: { state: ['running'], 'c-count': [5] } }],
  ['a number exactly', detail({ 'x-limit': [301.8] })],
  ['a number in e notation', detail({ 'x-limit': [3.018e2] })],
  ['true', detail({ flag: [true] })],
  ['false', detail({ off: [false] })],
  ['null', detail({ responseElements: [null] })],
  ['an empty string', detail({ eventVersion: [''] })],
  ['exactly', detail({ state: [{ exactly: 'running' }] })],
  ['prefix', { time: [{ prefix: '2017-10-02' }] }],
  ['prefix ignoring case', { source: [{ prefix: { 'equals-ignore-case': 'AWS.E' } }] }],
  ['an empty prefix on any text', { source: [{ prefix: '' }] }],
  ['suffix', { source: [{ suffix: 'ec2' }] }],
  ['suffix ignoring case', { source: [{ suffix: { 'equals-ignore-case': '.EC2' } }] }],
  ['equals-ignore-case', detail({ state: [{ 'equals-ignore-case': 'RuNNing' }] })],
  ['wildcard in the middle', detail({ FilePath: [{ wildcard: 'dir/*.png' }] })],
  ['wildcard at both ends', detail({ FilePath: [{ wildcard: '*/lib/*' }] })],
  ['wildcard as nothing', detail({ FilePath: [{ wildcard: 'dir/*lib/picture.png*' }] })],
  ['several wildcards', detail({ FilePath: [{ wildcard: 'd*l*b*c*.png' }] })],
  ['a lone wildcard on any text', detail({ FilePath: [{ wildcard: '*' }] })],
  ['a wildcard on empty text', detail({ eventVersion: [{ wildcard: '*' }] })],
  ['an escaped asterisk and backslash', detail({ starred: [{ wildcard: 'a\\*b\\\\*' }] })],
  ['a wildcard pattern without wildcards', detail({ state: [{ wildcard: 'running' }] })],
  ['anything-but a string', detail({ state: [{ 'anything-but': 'initializing' }] })],
  ['anything-but a number', detail({ 'x-limit': [{ 'anything-but': 123 }] })],
  ['anything-but a list of strings', detail({ state: [{ 'anything-but': ['stopped', 'overloaded'] }] })],
  ['anything-but a list of numbers', detail({ 'x-limit': [{ 'anything-but': [100, 200, 300] }] })],
  ['anything-but a prefix', detail({ state: [{ 'anything-but': { prefix: 'init' } }] })],
  ['anything-but a list of prefixes', detail({ state: [{ 'anything-but': { prefix: ['init', 'stop'] } }] })],
  ['anything-but a suffix', detail({ FilePath: [{ 'anything-but': { suffix: '.txt' } }] })],
  [
    'anything-but a list of suffixes',
    detail({ FilePath: [{ 'anything-but': { suffix: ['.txt', '.rtf'] } }] }),
  ],
  [
    'anything-but ignoring case',
    detail({ state: [{ 'anything-but': { 'equals-ignore-case': 'STOPPED' } }] }),
  ],
  [
    'anything-but a list ignoring case',
    detail({ state: [{ 'anything-but': { 'equals-ignore-case': ['A', 'B'] } }] }),
  ],
  ['anything-but a wildcard', detail({ FilePath: [{ 'anything-but': { wildcard: '*/bin/*' } }] })],
  [
    'anything-but a list of wildcards',
    detail({ FilePath: [{ 'anything-but': { wildcard: ['*/bin/*', '*.jpg'] } }] }),
  ],
  ['anything-but a string, of a number', detail({ 'c-count': [{ 'anything-but': '5' }] })],
  ['anything-but a string, of null', detail({ responseElements: [{ 'anything-but': 'x' }] })],
  ['anything-but, of an array with another value too', detail({ list: [{ 'anything-but': 'red' }] })],
  ['numeric between', detail({ 'c-count': [{ numeric: ['>', 0, '<=', 5] }] })],
  ['numeric below', detail({ 'd-count': [{ numeric: ['<', 10] }] })],
  ['numeric equal in e notation', detail({ 'x-limit': [{ numeric: ['=', 3.018e2] }] })],
  ['numeric at least', detail({ 'c-count': [{ numeric: ['>=', 5] }] })],
  ['numeric at most, six decimals', detail({ percent: [{ numeric: ['<=', 33.333333] }] })],
  ['numeric in an array', detail({ numbers: [{ numeric: ['>', 2] }] })],
  ['numeric across the whole range', detail({ 'c-count': [{ numeric: ['>=', -5e9, '<=', 5e9] }] })],
  ['exists', detail({ 'c-count': [{ exists: true }] })],
  ['exists, of null', detail({ responseElements: [{ exists: true }] })],
  ['exists false, of a missing field', detail({ gone: [{ exists: false }] })],
  ['exists false, of a field that is no leaf', detail({ nested: [{ exists: false }] })],
  ['exists false, of an empty array', detail({ none: [{ exists: false }] })],
  ['exists false below a missing parent', detail({ gone: { further: [{ exists: false }] } })],
  ['a value or absence', detail({ gone: ['x', { exists: false }] })],
  ['cidr v4', detail({ 'source-ip': [{ cidr: '10.0.0.0/24' }] })],
  ['cidr of everything', detail({ 'source-ip': [{ cidr: '0.0.0.0/0' }] })],
  ['cidr v6', detail({ 'v6-ip': [{ cidr: '2001:db8::/32' }] })],
  ['another spelling of an address', detail({ 'v6-ip': ['2001:0db8:0:0:0:0:0:7'] })],
  ['$or on its first branch', { $or: [{ source: ['aws.ec2'] }, { region: ['nowhere'] }] }],
  ['$or on its second branch', { $or: [{ source: ['nobody'] }, { region: ['us-east-1'] }] }],
  [
    '$or with a sibling',
    { source: ['aws.ec2'], $or: [{ region: ['nowhere'] }, { account: ['012345679012'] }] },
  ],
  ['$or below a field', detail({ $or: [{ 'c-count': [{ numeric: ['>', 100] }] }, { state: ['running'] }] })],
  [
    '$or with an and inside',
    { $or: [{ source: ['nobody'] }, { source: ['aws.ec2'], region: ['us-east-1'] }] },
  ],
  [
    '$or in $or',
    { $or: [{ id: ['no'] }, { source: ['aws.ec2'], $or: [{ id: ['no'] }, { region: ['us-east-1'] }] }] },
  ],
  [
    'two $or at different places',
    {
      $or: [{ id: ['no'] }, { source: ['aws.ec2'] }],
      detail: { $or: [{ state: ['no'] }, { flag: [true] }] },
    },
  ],
  ['nested fields', detail({ nested: { deep: { leaf: ['value'] } } })],
  ['dots in a key as nesting', detail({ 'nested.deep': { leaf: ['value'] } })],
  ['an object in an array', detail({ employees: { firstName: ['Anna'] } })],
  ['two fields of one element', detail({ employees: { firstName: ['Anna'], lastName: ['Smith'] } })],
  [
    'two fields of one element of an inner array',
    detail({ employees: { lastName: ['Jones'], roles: { name: ['dev'], level: [3] } } }),
  ],
  ['fields of arrays in arrays', detail({ grid: { a: [3], b: [4] } })],
  ['different elements of different arrays', detail({ list: ['red'], employees: { firstName: ['Peter'] } })],
  ['mixed values in an array', detail({ mixed: [null] })],
];

const NOT_MATCHING: [string, unknown][] = [
  ['another text', { source: ['aws.s3'] }],
  ['another case', detail({ state: ['RUNNING'] })],
  ['one field of two', { source: ['aws.ec2'], detail: { state: ['stopped'] } }],
  ['a missing field', detail({ gone: ['x'] })],
  ['a number for text that looks like it', detail({ 'text-number': [5] })],
  ['text for a number', detail({ 'c-count': ['5'] })],
  ['text for a boolean', detail({ flag: ['true'] })],
  ['an empty string for null', detail({ responseElements: [''] })],
  ['null for an empty string', detail({ eventVersion: [null] })],
  ['null for a missing field', detail({ gone: [null] })],
  ['a prefix in the middle', { source: [{ prefix: 'ec2' }] }],
  ['a prefix of a number', detail({ 'c-count': [{ prefix: '5' }] })],
  ['a suffix in the middle', { source: [{ suffix: 'aws' }] }],
  ['equals-ignore-case of a part', detail({ state: [{ 'equals-ignore-case': 'RUN' }] })],
  ['a wildcard whose ends overlap', detail({ state: [{ wildcard: 'runni*nning' }] })],
  ['a wildcard of a number', detail({ 'c-count': [{ wildcard: '*' }] })],
  ['an escaped asterisk for other text', detail({ FilePath: [{ wildcard: 'dir\\*' }] })],
  ['anything-but its own string', detail({ state: [{ 'anything-but': 'running' }] })],
  ['anything-but its own number', detail({ 'x-limit': [{ 'anything-but': [100, 301.8] }] })],
  ['anything-but its own prefix', detail({ state: [{ 'anything-but': { prefix: 'run' } }] })],
  ['anything-but its own suffix', detail({ FilePath: [{ 'anything-but': { suffix: ['.txt', '.png'] } }] })],
  [
    'anything-but itself ignoring case',
    detail({ state: [{ 'anything-but': { 'equals-ignore-case': 'RUNNING' } }] }),
  ],
  ['anything-but its own wildcard', detail({ FilePath: [{ 'anything-but': { wildcard: '*/lib/*' } }] })],
  ['anything-but of a missing field', detail({ gone: [{ 'anything-but': 'x' }] })],
  ['anything-but of an empty array', detail({ none: [{ 'anything-but': 'x' }] })],
  ['anything-but all values of an array', detail({ list: [{ 'anything-but': ['red', 'green'] }] })],
  ['numeric of text', detail({ 'text-number': [{ numeric: ['=', 5] }] })],
  ['numeric at an open bound', detail({ 'c-count': [{ numeric: ['>', 5] }] })],
  ['numeric outside a range', detail({ 'c-count': [{ numeric: ['>', 5, '<', 9] }] })],
  ['numeric of null', detail({ responseElements: [{ numeric: ['<', 10] }] })],
  ['exists of a missing field', detail({ gone: [{ exists: true }] })],
  ['exists of a field that is no leaf', detail({ nested: [{ exists: true }] })],
  ['exists of an empty array', detail({ none: [{ exists: true }] })],
  ['exists of an empty object', detail({ empty: [{ exists: true }] })],
  ['exists false of a present field', detail({ 'c-count': [{ exists: false }] })],
  ['exists false of null', detail({ responseElements: [{ exists: false }] })],
  ['cidr of another net', detail({ 'source-ip': [{ cidr: '10.0.1.0/24' }] })],
  ['cidr v6 of a v4 address', detail({ 'source-ip': [{ cidr: '::/0' }] })],
  ['cidr of text that is no address', detail({ state: [{ cidr: '0.0.0.0/0' }] })],
  ['$or with no branch', { $or: [{ source: ['x'] }, { region: ['y'] }] }],
  ['$or with its sibling missing', { source: ['x'], $or: [{ region: ['us-east-1'] }, { id: ['y'] }] }],
  ['fields of two elements', detail({ employees: { firstName: ['Anna'], lastName: ['Jones'] } })],
  [
    'fields of two inner elements',
    detail({ employees: { firstName: ['Peter'], roles: { name: ['dev'], level: [2] } } }),
  ],
  [
    'fields of an outer and a foreign inner element',
    detail({ employees: { firstName: ['Anna'], roles: { level: [3] } } }),
  ],
  ['fields of two arrays in an array', detail({ grid: { a: [1], b: [4] } })],
];

const REFUSED: [string, unknown, RegExp][] = [
  [
    'an unknown operator',
    detail({ state: [{ contains: 'x' }] }),
    /Unrecognized match type contains at "detail.state"/,
  ],
  [
    'an unknown operator in anything-but',
    detail({ s: [{ 'anything-but': { cidr: '10.0.0.0/8' } }] }),
    /Unsupported anything-but pattern: cidr/,
  ],
  [
    'an unknown operator in prefix',
    detail({ s: [{ prefix: { suffix: 'x' } }] }),
    /Unsupported prefix pattern: suffix/,
  ],
  ['a value outside an array', detail({ state: 'running' }), /"state" must be an object or an array/],
  ['an empty pattern', {}, /Empty objects are not allowed/],
  ['an empty object', { detail: {} }, /Empty objects are not allowed/],
  ['an empty array', { source: [] }, /Empty arrays are not allowed/],
  ['an array in an array', { source: [['x']] }, /Match value must be/],
  ['two operators in one', { source: [{ prefix: 'a', suffix: 'b' }] }, /Only one key allowed/],
  ['no operator', { source: [{}] }, /Match expression name not found/],
  ['exists of text', { source: [{ exists: 'true' }] }, /exists match pattern must be either true or false/],
  ['prefix of a number', { source: [{ prefix: 5 }] }, /prefix match pattern must be a string/],
  ['equals-ignore-case of a list', { source: [{ 'equals-ignore-case': ['a'] }] }, /must be a string/],
  [
    'anything-but of mixed values',
    { source: [{ 'anything-but': ['a', 1] }] },
    /either all values are number or string/,
  ],
  ['anything-but of null', { source: [{ 'anything-but': null }] }, /anything-but must be/],
  ['anything-but of an empty list', { source: [{ 'anything-but': [] }] }, /either all values/],
  ['anything-but of an empty prefix', { source: [{ 'anything-but': { prefix: '' } }] }, /Null prefix/],
  ['numeric of no array', { n: [{ numeric: '>5' }] }, /Value of numeric must be an array/],
  [
    'numeric with an unknown sign',
    { n: [{ numeric: ['==', 5] }] },
    /Unrecognized numeric range operator: ==/,
  ],
  ['numeric of text', { n: [{ numeric: ['>', '5'] }] }, /Value of > must be numeric/],
  ['numeric upside down', { n: [{ numeric: ['>', 5, '<', 1] }] }, /Bottom must be less than top/],
  ['numeric with two bottoms', { n: [{ numeric: ['>', 5, '>', 6] }] }, /Bad numeric range operator: >/],
  ['numeric with too many terms', { n: [{ numeric: ['<', 5, '>', 1] }] }, /Too many terms/],
  ['numeric out of range', { n: [{ numeric: ['<', 6e9] }] }, /must be between/],
  ['a wildcard doubled', { s: [{ wildcard: 'a**b' }] }, /Consecutive wildcard characters/],
  ['a wildcard with a stray backslash', { s: [{ wildcard: 'a\\b' }] }, /Invalid escape character/],
  ['cidr without a mask', { s: [{ cidr: '10.0.0.0' }] }, /one '\/' required/],
  ['cidr of a name', { s: [{ cidr: 'example/8' }] }, /Nonstandard IP address/],
  ['cidr with a wide mask', { s: [{ cidr: '10.0.0.0/32' }] }, /mask bits must be < 32/],
  ['$or of one branch', { $or: [{ source: ['x'] }] }, /at least 2 Objects/],
  ['$or of text', { $or: ['a', 'b'] }, /Only JSON object/],
  ['$or of an object', { $or: { a: ['x'] } }, /must be an Array/],
  [
    '$or with an operator for a field',
    { $or: [{ numeric: ['=', 1] }, { prefix: ['a'] }] },
    /reserved field name/,
  ],
  ['one path twice', { a: ['x'], $or: [{ a: ['y'] }, { b: ['z'] }] }, /cannot be allowed multiple times/],
  ['text instead of an object', 'source', /Filter is not an object/],
];

describe('an event pattern matches', () => {
  test.each(MATCHING)('%s', (_, pattern) => {
    expect(compileEventPattern(pattern).matches(EVENT)).toBe(true);
  });
});

describe('an event pattern does not match', () => {
  test.each(NOT_MATCHING)('%s', (_, pattern) => {
    expect(compileEventPattern(pattern).matches(EVENT)).toBe(false);
  });
});

describe('an event pattern is refused for', () => {
  test.each(REFUSED)('%s', (_, pattern, reason) => {
    expect(() => compileEventPattern(pattern)).toThrow(reason);
  });

  test('text that is not JSON, and text that is too long', () => {
    expect(() => compileEventPatternText('{"source"')).toThrow(/not JSON/);
    expect(() => compileEventPatternText(JSON.stringify({ source: ['x'.repeat(5000)] }))).toThrow(
      /longer than 4096/,
    );
  });

  test('more $or combinations than AWS takes', () => {
    const or = (name: string) => ({
      $or: Array.from({ length: 11 }, (_, i) => ({ [`${name}${i}`]: ['x'] })),
    });
    expect(() => compileEventPattern({ a: or('a'), b: or('b'), c: or('c') })).toThrow(/combinations/);
  });
});

describe('what is absent is judged within the element chosen before it', () => {
  const pattern = compileEventPattern({ items: { kind: ['x'], note: [{ exists: false }] } });
  test('a note of another element does not count', () => {
    expect(pattern.matches({ items: [{ kind: 'y', note: 'n' }, { kind: 'x' }] })).toBe(true);
    expect(pattern.matches({ items: [{ kind: 'x', note: 'n' }, { kind: 'y' }] })).toBe(false);
  });
});

describe('any event', () => {
  const patterns = [...MATCHING, ...NOT_MATCHING].map(([, pattern]) => compileEventPattern(pattern));

  test('is answered without an error by every compiled pattern', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(...patterns), (value, pattern) => {
        expect(typeof pattern.matches(value)).toBe('boolean');
        expect(typeof pattern.matches({ ...EVENT, detail: value })).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });

  test('matches a pattern made of its own leaf and never the anything-but of it', () => {
    const leaf = fc.oneof(fc.string(), fc.integer({ min: -1e9, max: 1e9 }));
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), leaf, (key, value) => {
        fc.pre(key !== '$or' && key !== '__proto__');
        const event = { [key]: [value, value] };
        expect(compileEventPattern({ [key]: [value] }).matches(event)).toBe(true);
        expect(compileEventPattern({ [key]: [{ 'anything-but': value }] }).matches(event)).toBe(false);
      }),
    );
  });

  test('nested a hundred thousand deep does not overflow', () => {
    const deep: unknown = JSON.parse(`{"detail":${'['.repeat(100_000)}"x"${']'.repeat(100_000)}}`);
    expect(compileEventPattern({ detail: ['y'] }).matches(deep)).toBe(false);
  });

  test('with hostile keys is read as data', () => {
    const event: unknown = JSON.parse('{"detail":{"__proto__":{"admin":"yes"},"constructor":"c"}}');
    expect(compileEventPatternText('{"detail":{"__proto__":{"admin":["yes"]}}}').matches(event)).toBe(true);
    expect(compileEventPatternText('{"detail":{"admin":["yes"]}}').matches(event)).toBe(false);
    expect(compileEventPatternText('{"detail":{"toString":[{"exists":true}]}}').matches({ detail: {} })).toBe(
      false,
    );
  });
});
