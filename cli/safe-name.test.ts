import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { join, relative } from 'node:path';
import { safeName } from './safe-name.ts';

describe('names of downloads', () => {
  test.each([
    ['ComfyUI_00001_.png', 'ComfyUI_00001_.png'],
    ['ünï 世界.png', 'ünï 世界.png'],
    ['../../etc/passwd', 'passwd'],
    ['..\\..\\x.png', 'x.png'],
    ['/etc/passwd', 'passwd'],
    ['a/../../b', 'b'],
    ['C:\\x.png', 'x.png'],
    ['C:x.png', 'C_x.png'],
    ['x.png:stream', 'x.png_stream'],
    ['x\nSet-Cookie:', 'x_Set-Cookie_'],
    ['we"ird.png', 'we_ird.png'],
    ['a\u202egnp.exe', 'a_gnp.exe'],
    ['\u001b[2Jx.png', '_[2Jx.png'],
    ['..', 'output'],
    ['.', 'output'],
    ['', 'output'],
    ['/', 'output'],
    ['   ', 'output'],
    ['x.png. ', 'x.png'],
    ['.bashrc', 'bashrc'],
    ['-rf', 'rf'],
    ['~root', 'root'],
    ['CON', '_CON'],
    ['nul.png', '_nul.png'],
    ['COM1.tar.gz', '_COM1.tar.gz'],
    ['aux .txt', '_aux .txt'],
    ['console.png', 'console.png'],
    ['%2e%2e', '%2e%2e'],
  ])('%j becomes %j', (name, safe) => expect(safeName(name)).toBe(safe));

  test('a long name is cut by bytes, and keeps its ending', () => {
    const name = safeName(`${'世'.repeat(300)}.png`);
    expect(name).toMatch(/^世+\.png$/);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(220);
    expect(Buffer.byteLength(safeName(`a.${'x'.repeat(500)}`))).toBeLessThanOrEqual(220);
  });

  test('no name leads out of the folder', () => {
    const parts = fc.oneof(
      fc.constantFrom('..', '.', '/', '\\', 'CON', ':', ' '),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(parts), (names) => {
        const name = safeName(names.join(''));
        expect(relative('/folder', join('/folder', name))).toBe(name);
        expect(name).not.toMatch(/[\p{Cc}\p{Cf}/\\]|^[.-]|[. ]$/u);
      }),
    );
  });
});
