/** What a job may go through while one looks at it. */
import { DESKTOP } from './camera.ts';
import { allLoaded, atStep, finished, generate, heading, openWorkflow, toTop, visible } from './moves.ts';
import type { Scene } from './scene.ts';
import { sideBySide } from './workflows.ts';

export const started: readonly Scene[] = [
  {
    name: 'create',
    caption: 'The first view: the workflow’s inputs as a form, nothing submitted yet.',
    lens: DESKTOP,
    play: async (page) => visible(page.getByText('No jobs yet')),
  },
  {
    name: 'done',
    caption: 'Done: the picture, how long each node took, and the job in the list.',
    lens: DESKTOP,
    play: async (page) => {
      await generate(page);
      await finished(page);
      await toTop(page);
      await allLoaded(page);
    },
  },
  {
    name: 'running',
    caption:
      'In mid-run: node, step, percentage, the time that it takes yet, and the picture as far as it is.',
    lens: DESKTOP,
    play: async (page, { pod }) => {
      await pod.hold(13);
      await generate(page, { prompt: 'snowy mountains under a starry sky, aurora', seed: 2024 });
      await atStep(page, 13);
      await visible(page.getByTestId('preview'));
      await toTop(page);
    },
  },
  {
    name: 'refreshed',
    caption: 'The same run after a refresh of the page: the same job at the same percentage.',
    lens: DESKTOP,
    play: async (page, { pod }) => {
      await pod.hold(13);
      await generate(page, { prompt: 'a red desert at sunset', seed: 77 });
      await atStep(page, 13);
      await page.reload();
      await atStep(page, 13);
      await toTop(page);
    },
  },
  {
    name: 'waiting',
    caption: 'Waiting: the place in the queue and when it is likely to be done.',
    lens: DESKTOP,
    play: async (page, { pod }) => {
      await pod.hold(6);
      const prompts = ['a lighthouse in a storm', 'an autumn forest at dawn', 'a lake under the moon'];
      for (const [index, prompt] of prompts.entries()) {
        await generate(page, { prompt, seed: 300 + index });
        await page.waitForFunction(
          `document.querySelectorAll('[data-testid="job-row"]').length > ${index + 2}`,
        );
      }
      await generate(page, { prompt: 'a harbour town at night', seed: 310 });
      await visible(page.getByTestId('queue-position').filter({ hasText: 'Number 2' }));
      await visible(page.getByTestId('job-row').getByText('6/20 steps'));
      await toTop(page);
    },
  },
];

export const ended: readonly Scene[] = [
  {
    name: 'parallel',
    caption: 'Several nodes at work at once, each with its own steps.',
    lens: DESKTOP,
    play: async (page, { pod }) => {
      await openWorkflow(page, 'side by side.json', sideBySide);
      await pod.hold(24);
      await page.getByTestId('generate').click();
      await pod.untilHeld();
      await visible(page.getByTestId('parallel-node').nth(1));
      await toTop(page);
    },
  },
  {
    name: 'failed',
    caption: 'Failed: which node, why, and what to do about it.',
    lens: DESKTOP,
    play: async (page, { pod }) => {
      await pod.failNext('execution_error', { afterSteps: 9 });
      await generate(page, { prompt: 'a glass city by the sea', seed: 401 });
      await visible(page.getByTestId('error'));
      await toTop(page);
    },
  },
  {
    name: 'cancelled',
    caption: 'Cancelled in mid-run.',
    lens: DESKTOP,
    play: async (page, { pod }) => {
      await pod.hold(8);
      await generate(page, { prompt: 'a field of lavender', seed: 402 });
      await atStep(page, 8);
      await page.getByTestId('cancel').click();
      await heading(page, 'Cancelled');
      await toTop(page);
    },
  },
  {
    name: 'retrying',
    caption: 'The worker’s ComfyUI restarted under the job: it is tried again by itself.',
    lens: DESKTOP,
    play: async (page, { pod }) => {
      await pod.failNext('crash', { afterSteps: 7, restartAfterMs: 200 });
      await generate(page, { prompt: 'a fox in the snow', seed: 403 });
      await heading(page, 'Trying again');
      await toTop(page);
    },
  },
  {
    name: 'smaller',
    caption: 'Out of memory, and what was asked for is tried again smaller by itself, shown as it happens.',
    lens: DESKTOP,
    play: async (page, { pod }) => {
      // The pipeline itself tries once more as it was; the page then tries less.
      await pod.failNext('oom', { afterSteps: 5 });
      await pod.failNext('oom', { afterSteps: 5 });
      await page.getByTestId('workflow').selectOption('image_batch_v1');
      await generate(page, { prompt: 'a cathedral of light, highly detailed', seed: 405 });
      await heading(page, 'Trying again');
      await visible(page.getByTestId('other-try'));
      await pod.hold(8);
      await visible(page.getByTestId('steps').filter({ hasText: '8/' }));
      await toTop(page);
    },
  },
  {
    name: 'connection-lost',
    caption: 'The live connection is lost: the page says so, keeps what it knows, and the job goes on.',
    lens: DESKTOP,
    play: async (page, { pod, proxy }) => {
      await pod.hold(11);
      await generate(page, { prompt: 'a lantern festival', seed: 404 });
      await atStep(page, 11);
      proxy.cut();
      await visible(page.getByTestId('lost-line'));
      await toTop(page);
    },
  },
];
