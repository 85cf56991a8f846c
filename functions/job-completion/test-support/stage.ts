/** A job whose ComfyUI has finished, and everything around it, in memory and failing on demand. */
import type { DetailOf, HistoryEntry } from '../../../shared-types/index.ts';
import { createFakeComfyUi } from '../../adapters/comfyui/comfyui.fake.ts';
import { createFakeTable } from '../../adapters/dynamodb/fake-table.ts';
import { createFakePublisher } from '../../adapters/eventbridge/event-publisher.fake.ts';
import { createFakeMediaStore } from '../../adapters/s3/media-store.fake.ts';
import { createFakePusher } from '../../adapters/web-socket/pusher.fake.ts';
import type { Job } from '../../core/job.ts';
import { createFakeClock } from '../../core/test-support/fake-clock.ts';
import { createFaults } from '../../core/test-support/faults.ts';
import {
  createSilentLogger,
  makeAssignedJob,
  makeEvent,
  makeRegistration,
  PROMPT_ID,
} from '../../core/test-support/fixtures.ts';
import { createJobCompletionHandler } from '../job-completion.ts';

export const PNG = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR...a picture', 'latin1');

export const image = (filename: string, type = 'output') => ({ filename, subfolder: '', type });

export const TWO_IMAGES_AND_A_TEXT: HistoryEntry['outputs'] = {
  '9': { images: [image('a_00001_.png'), image('b_00001_.png')], animated: [false] },
  '12': { text: ['a prompt, made longer'] },
};

export const success: HistoryEntry['status'] = {
  status_str: 'success',
  completed: true,
  messages: [['execution_success', { prompt_id: PROMPT_ID, timestamp: 1 }]],
};

export const createStage = async ({
  job = {},
  outputs = TWO_IMAGES_AND_A_TEXT,
  status = success,
  storeTempOutputs = false,
}: {
  readonly job?: Partial<Job>;
  readonly outputs?: HistoryEntry['outputs'];
  readonly status?: HistoryEntry['status'];
  readonly storeTempOutputs?: boolean;
} = {}) => {
  const clock = createFakeClock();
  const faults = createFaults();
  const table = createFakeTable(clock, faults);
  const comfyUi = createFakeComfyUi();
  const media = createFakeMediaStore();
  const publisher = createFakePublisher();
  const pusher = createFakePusher();
  const logger = createSilentLogger();
  const wrappedMedia = faults.wrap('media', media);
  const handle = createJobCompletionHandler({
    ...table,
    comfyUi: faults.wrap('comfyUi', comfyUi),
    media: {
      head: (key) => wrappedMedia.head(key),
      put: (object, options) => wrappedMedia.put(object, options),
      urlOf: (key) => media.urlOf(key),
    },
    publisher: faults.wrap('publisher', publisher),
    pusher: faults.wrap('pusher', pusher),
    clock,
    random: () => 0,
    logger,
    storeTempOutputs,
  });
  await table.jobs.create(makeAssignedJob({ connections: ['connection-1'], ...job }));
  await table.workers.register(makeRegistration());
  comfyUi.finish(PROMPT_ID, { outputs, status });
  for (const name of ['a_00001_.png', 'b_00001_.png'])
    comfyUi.putFile({ filename: name }, PNG, { etag: `"${name}"` });
  const firstCall = faults.calls.length + 1;

  return {
    clock,
    faults,
    firstCall,
    table,
    comfyUi,
    media,
    publisher,
    pusher,
    logger,
    complete: (overrides: Partial<DetailOf<'Job Completed'>> = {}) =>
      handle(makeEvent('Job Completed', overrides)),
    announce: (overrides: Partial<DetailOf<'Images Generated'>> = {}) =>
      handle(makeEvent('Images Generated', overrides)),
    handle,
    job: () => {
      const [only] = table.allJobs();
      if (only === undefined) throw new Error('there is no job');
      return only;
    },
    pushed: () => pusher.sent.map(({ message }) => message),
    codes: () => logger.lines.map(({ code }) => code),
  };
};

export type Stage = Awaited<ReturnType<typeof createStage>>;
