import { describe, expect, test } from '@jest/globals';
import { checkOutboundUrl } from './outbound-url.ts';

describe('a URL that the control plane is to call', () => {
  test.each([
    ['https://example.com/hook', 'https://example.com/hook'],
    ['https://example.com/', 'https://example.com/'],
    [
      'https://bucket.s3.amazonaws.com/a%20b.png?X-Amz-Signature=1#',
      'https://bucket.s3.amazonaws.com/a%20b.png?X-Amz-Signature=1#',
    ],
    ['HTTPS://Example.com:443/x?a=http://10.0.0.1/', 'https://example.com/x?a=http://10.0.0.1/'],
    ['https://example.com/x?', 'https://example.com/x?'],
  ])('%s may be called, query and all', (url, called) => {
    expect(checkOutboundUrl(url, 'public')).toEqual({ kind: 'ok', url: called });
  });

  test.each([
    ['http://169.254.169.254/latest'],
    ['http://[::ffff:169.254.169.254]/'],
    ['http://0x7f000001/'],
    ['http://2130706433/'],
    ['http://localhost/'],
    ['http://127.0.0.1:8080/x?y'],
    ['http://10.0.0.7/'],
    ['http://db.internal/'],
    ['http://metadata.google.internal/'],
    ['file:///etc/passwd'],
    ['gopher://example.com/'],
    ['https://user:secret@example.com/'],
    ['https://example.com/#fragment'],
    ['example.com'],
    [''],
    [`https://example.com/${'x'.repeat(3000)}`],
  ])('%s may not', (url) => {
    const check = checkOutboundUrl(url, 'public');
    expect(check).toMatchObject({ kind: 'refused', reason: expect.stringMatching(/^[^\n]+$/) });
    expect(JSON.stringify(check)).not.toContain('secret');
  });

  test('a laptop may call itself', () => {
    expect(checkOutboundUrl('http://127.0.0.1:9000/hook', 'any').kind).toBe('ok');
  });
});
