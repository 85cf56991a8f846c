import { expect, test } from '@jest/globals';
import { DEFAULT_PORT, readSettings } from './config.ts';

test('without any setting: port 8080, two demo pods, temporary state', () => {
  expect(readSettings({})).toEqual({
    port: DEFAULT_PORT,
    comfyUiUrl: undefined,
    pods: 2,
    stepDelayMs: 200,
    dataDir: undefined,
  });
  expect(DEFAULT_PORT).toBe(8080);
});

test('an empty variable is one that is not set', () => {
  expect(readSettings({ PORT: '', COMFYUI_URL: '' }).port).toBe(DEFAULT_PORT);
});

test('the address of a ComfyUI loses its trailing slash', () => {
  expect(readSettings({ COMFYUI_URL: 'http://127.0.0.1:8188/' }).comfyUiUrl).toBe('http://127.0.0.1:8188');
});

test.each([
  [{ PORT: '99999' }, /^PORT must be a port from 0 to 65535/],
  [{ PORT: 'http' }, /^PORT must be a port/],
  [{ PODS: '0' }, /^PODS must be a whole number from 1 to 8/],
  [{ COMFYUI_URL: 'ftp://x' }, /^COMFYUI_URL must be the address of a ComfyUI, http:/],
])('%j is refused in one line', (values, message) => {
  const reading = (): unknown => readSettings(values);
  expect(reading).toThrow(message);
  expect(reading).toThrow(/^[^\n]*$/);
});

test('everything that is wrong is said at once, one line each', () => {
  const wrong = { PORT: '-1', PODS: '9', STEP_DELAY_MS: 'x', COMFYUI_URL: 'localhost:8188' };
  expect(() => readSettings(wrong)).toThrow(/^PORT .*\nCOMFYUI_URL .*\nPODS .*\nSTEP_DELAY_MS .*$/);
});
