import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { MAX_EVENT_BYTES, eventCatalogue } from '../../shared-types/index.ts';
import { RECORDING_NAMES, readRecording, type RecordingName } from '../../test/fakes/recording.ts';
import { simulate } from '../test-support/simulation.ts';
import { jsonBytes } from './event-size.ts';

const goldenOf = (name: string): string => fileURLToPath(new URL(`./goldens/${name}.json`, import.meta.url));
const update = process.env['UPDATE_GOLDENS'] === '1';

/** Events about jobs that each recording costs; Monitor Initialized (one per connection) comes on top. */
const COST: Record<RecordingName, number> = {
  'animated-and-audio-and-text-outputs': 5,
  'bare-nan-in-frames': 4,
  'batch-and-temp-preview': 14,
  'cached-rerun': 4,
  'client-chosen-prompt-id-and-extra-data': 5,
  'delete-pending': 8,
  'execution-error': 3,
  'foreign-client-and-no-client': 0,
  interrupted: 7,
  'model-free-fast': 5,
  'out-of-memory': 4,
  'queued-two-then-cancel-second': 31,
  'reconnect-mid-run': 17,
  'socket-lost-until-end': 7,
  'text-to-image': 18,
  'validation-errors': 5,
};

describe.each(RECORDING_NAMES)('the recording %s', (name) => {
  const recording = readRecording(name);
  const { events } = simulate(recording);

  test('yields exactly the events of its golden file', () => {
    if (update) writeFileSync(goldenOf(name), `${JSON.stringify(events, null, 1)}\n`);
    expect(events).toEqual(JSON.parse(readFileSync(goldenOf(name), 'utf8')));
  });

  test('yields events that keep to their schemas and to the billing unit', () => {
    for (const event of events) {
      expect(eventCatalogue[event.detailType].schema.safeParse(event.detail).error).toBeUndefined();
      expect(jsonBytes(event.detail)).toBeLessThan(MAX_EVENT_BYTES);
    }
  });

  test('costs no more events than it is known to cost', () => {
    expect(events.filter((event) => event.detail.jobId !== null)).toHaveLength(COST[name]);
  });

  test('tells nothing of the inputs of its nodes', () => {
    const told = JSON.stringify(events);
    for (const secret of ['beautiful scenery', 'ckpt_name', 'sampler_name', 'filename_prefix']) {
      expect(told).not.toContain(secret);
    }
  });
});
