import { describe, expect, test } from '@jest/globals';
import { checkWorkerAddress, isAddressAllowed } from './worker-address.ts';

describe('the address of a worker, as text', () => {
  test.each([
    ['http://127.0.0.1:8188', 'any', 'http://127.0.0.1:8188'],
    ['http://localhost:8188/', 'any', 'http://localhost:8188'],
    ['http://10.0.3.17:8188', 'private', 'http://10.0.3.17:8188'],
    ['http://[fd12::5]:8188', 'private', 'http://[fd12::5]:8188'],
    ['http://ip-10-0-3-17.ec2.internal:8188', 'private', 'http://ip-10-0-3-17.ec2.internal:8188'],
    ['https://abc-8188.proxy.example.com', 'public', 'https://abc-8188.proxy.example.com'],
    ['HTTPS://Example.com/pods/1//', 'public', 'https://example.com/pods/1'],
  ] as const)('%s passes under %s', (url, policy, normalised) => {
    expect(checkWorkerAddress(url, policy)).toEqual({ kind: 'ok', url: normalised });
  });

  test.each([
    'file:///etc/passwd',
    'gopher://example.com',
    'ws://example.com',
    'http://user@example.com',
    'http://example.com@169.254.169.254/',
    'http://example.com/?x=1',
    'http://example.com?',
    'http://example.com/#x',
    'http://169.254.169.254/latest/meta-data',
    'http://169.254.170.2',
    'http://[::ffff:169.254.169.254]',
    'http://[::ffff:a9fe:a9fe]',
    'http://[64:ff9b::a9fe:a9fe]',
    'http://[2002:a9fe:a9fe::1]',
    'http://[::a9fe:a9fe]',
    'http://[fe80::1]',
    'http://[fd00:ec2::254]',
    'http://100.100.100.200',
    'http://2852039166',
    'http://0xa9fea9fe',
    'http://0251.0376.0251.0376',
    'http://metadata.google.internal.',
    'http://0.0.0.0:8188',
    'http://[::]',
    'http://224.0.0.1',
    'http://',
    'x',
    '',
    `http://example.com/${'a'.repeat(3000)}`,
  ])('%s is refused even under the widest policy', (url) => {
    expect(checkWorkerAddress(url, 'any')).toMatchObject({ kind: 'refused' });
  });

  test.each([
    'http://127.0.0.1',
    'http://0x7f000001',
    'http://2130706433',
    'http://127.1',
    'http://localhost',
    'http://LOCALHOST.',
    'http://pod.localhost',
    'http://[::1]',
    'http://[::ffff:127.0.0.1]',
  ])('the loopback %s is for "any" alone', (url) => {
    expect(checkWorkerAddress(url, 'any').kind).toBe('ok');
    expect(checkWorkerAddress(url, 'private').kind).toBe('refused');
    expect(checkWorkerAddress(url, 'public').kind).toBe('refused');
  });

  test.each([
    'http://10.1.2.3',
    'http://172.31.255.255',
    'http://192.168.0.1',
    'http://100.64.1.1',
    'http://[fc00::1]',
    'http://pod.local',
    'http://pod.internal.',
  ])('the private %s is not for "public"', (url) => {
    expect(checkWorkerAddress(url, 'private').kind).toBe('ok');
    expect(checkWorkerAddress(url, 'public').kind).toBe('refused');
  });
});

describe('a resolved address, at connect', () => {
  test.each([
    ['127.0.0.1', 'any', true],
    ['::1', 'any', true],
    ['127.0.0.1', 'private', false],
    ['10.0.0.1', 'private', true],
    ['::ffff:10.0.0.1', 'private', true],
    ['::ffff:10.0.0.1', 'public', false],
    ['172.32.0.1', 'public', true],
    ['8.8.8.8', 'public', true],
    ['2606:4700::1111', 'public', true],
    ['fe80::1%eth0', 'any', false],
    ['169.254.169.254', 'any', false],
    ['localhost', 'any', false],
    ['', 'any', false],
    ['1.2.3', 'any', false],
    ['1.2.3.4]', 'any', false],
    ['::1]/', 'any', false],
  ] as const)('%s under %s: %s', (ip, policy, allowed) => {
    expect(isAddressAllowed(ip, policy)).toBe(allowed);
  });
});
