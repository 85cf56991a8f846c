import { describe, expect, test } from '@jest/globals';
import { ENVIRONMENT, readConfig } from './config.ts';

const REQUIRED = { EVENTBRIDGE_BUS_NAME: 'dev-comfyui-events', AWS_REGION: 'eu-west-1' };
const configOf = (env: Record<string, string>) => {
  const reading = readConfig({ ...REQUIRED, ...env });
  if (reading.kind === 'invalid') throw new Error(reading.problems.join('; '));
  return reading.config;
};

describe('the configuration', () => {
  test('needs no more than the bus and the region', () => {
    expect(configOf({ WORKER_ID: 'pod 7/a', HOME: '/home/x', XDG_STATE_HOME: '/state' })).toMatchObject({
      comfyuiHost: '127.0.0.1',
      comfyuiPort: 8188,
      workerId: 'pod-7-a',
      clientId: 'monitor-pod-7-a',
      comfyuiPublicUrl: 'http://127.0.0.1:8188',
      stateDir: '/state/comfyui-monitor/pod-7-a',
      progressIntervalMs: 1000,
      healthPort: 9188,
      heartbeatSeconds: 20,
      stallTimeoutSeconds: 1200,
    });
  });

  test('takes tags as a list: sorted, each once', () => {
    expect(configOf({}).tags).toEqual([]);
    expect(configOf({ WORKER_TAGS: 'sdxl, eu,,sdxl' }).tags).toEqual(['eu', 'sdxl']);
  });

  test('sends no previews until it is told to which function', () => {
    expect(configOf({}).previewFunctionName).toBeUndefined();
    expect(configOf({ PREVIEW_FUNCTION_NAME: '' }).previewFunctionName).toBeUndefined();
    const name = 'dev-comfyui-push-preview';
    expect(configOf({ PREVIEW_FUNCTION_NAME: name }).previewFunctionName).toBe(name);
    expect(readConfig({ ...REQUIRED, PREVIEW_FUNCTION_NAME: 'a b' })).toEqual({
      kind: 'invalid',
      problems: ['PREVIEW_FUNCTION_NAME must be the name or the ARN of a function'],
    });
  });

  test('takes an empty variable for one that is not set', () => {
    expect(configOf({ COMFYUI_PORT: '', LOG_LEVEL: '' })).toMatchObject({
      comfyuiPort: 8188,
      logLevel: 'info',
    });
  });

  test('names everything that is wrong at once, one line each', () => {
    const reading = readConfig({
      COMFYUI_HOST: 'user@host',
      COMFYUI_PORT: '70000',
      COMFYUI_PUBLIC_URL: 'file:///etc/passwd',
      MONITOR_HEARTBEAT_SECONDS: '1e3',
      LOG_LEVEL: 'loud',
      WORKER_TAGS: 'sdxl,two words',
    });
    const problems = reading.kind === 'invalid' ? reading.problems : [];
    for (const name of [
      'COMFYUI_HOST',
      'COMFYUI_PORT',
      'COMFYUI_PUBLIC_URL',
      'MONITOR_HEARTBEAT_SECONDS',
      'LOG_LEVEL',
      'WORKER_TAGS',
    ]) {
      expect(problems.filter((line) => line.startsWith(`${name} `))).toHaveLength(1);
    }
    expect(problems).toContain('EVENTBRIDGE_BUS_NAME is required');
    expect(problems).toContain('AWS_REGION is required');
    expect(problems.every((line) => !line.includes('\n'))).toBe(true);
  });

  test('lists every variable that it reads', () => {
    expect(new Set(ENVIRONMENT.map(([name]) => name)).size).toBe(14);
  });
});
