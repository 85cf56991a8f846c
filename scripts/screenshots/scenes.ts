/** Every state of the page, in an order in which one leaves behind what the next one shows. */
import type { Page } from 'playwright-core';
import { textToImage } from '../../test/support/workflows.ts';
import { DESKTOP, LIGHT, PHONE, type Lens } from './camera.ts';
import {
  allLoaded,
  atStep,
  finished,
  generate,
  heading,
  openWorkflow,
  playABit,
  toTop,
  visible,
} from './moves.ts';
import type { Studio } from './studio.ts';
import { clipAndSound, editorFormat, sideBySide } from './workflows.ts';

export interface Scene {
  /** Of the file, without its ending. */
  readonly name: string;
  /** One line below the picture. */
  readonly caption: string;
  readonly lens: Lens;
  /** Of the view; the first one without. */
  readonly at?: string;
  /** The picture is taken once this is through. */
  readonly play: (page: Page, studio: Studio) => Promise<void>;
}

const submitted = async ({ demo }: Studio, body: unknown): Promise<string> => {
  const response = await fetch(`${demo.endpoints.apiUrl}/api/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`a task was answered ${response.status}: ${await response.text()}`);
  return String(((await response.json()) as { id: unknown }).id);
};

const onlyJob = (page: Page): Promise<void> => visible(page.getByTestId('job-row'));

const started: readonly Scene[] = [
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

const ended: readonly Scene[] = [
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

const views: readonly Scene[] = [
  {
    name: 'job',
    caption: 'One job: its nodes on a timeline, its attempts, its settings to take over.',
    lens: DESKTOP,
    play: async (page) => {
      await generate(page, { prompt: 'a waterfall in the jungle', seed: 501 });
      await finished(page);
      await page.getByRole('link', { name: /Timeline/ }).click();
      await visible(page.getByText('Storing the outputs'));
      await allLoaded(page);
    },
  },
  {
    name: 'clip-and-sound',
    caption: 'Clips and sounds have players.',
    lens: DESKTOP,
    play: async (page) => {
      await openWorkflow(page, 'clip and sound.json', clipAndSound);
      await page.getByTestId('generate').click();
      await heading(page, 'Finished');
      await visible(page.locator('.gc audio'));
      await allLoaded(page);
      await playABit(page);
      await toTop(page);
    },
  },
  {
    name: 'gallery',
    caption: 'The gallery: everything that was made.',
    lens: DESKTOP,
    at: '#/gallery',
    play: async (page) => {
      await visible(page.getByTestId('gallery-tile'));
      await allLoaded(page);
    },
  },
  {
    name: 'lightbox',
    caption: 'One picture at full size, by mouse or by keyboard.',
    lens: DESKTOP,
    at: '#/gallery',
    play: async (page) => {
      await page.getByTestId('gallery-tile').filter({ hasText: 'waterfall' }).first().click();
      await visible(page.getByTestId('full-picture'));
      await allLoaded(page);
    },
  },
  {
    name: 'workers',
    caption: 'The workers: one runs a job, one has been asked to finish what it has.',
    lens: DESKTOP,
    at: '#/workers',
    play: async (page, studio) => {
      await studio.demo.addWorker('pod-2');
      const second = page.getByTestId('worker').filter({ hasText: 'pod-2' });
      await second.getByRole('button', { name: /^Drain/ }).click();
      await visible(second.getByText('draining', { exact: true }));
      await studio.pod.hold(3);
      await submitted(studio, {
        workflow_id: 'text_to_image_v1',
        payload: textToImage({ steps: 20, seed: 601 }),
      });
      await visible(page.getByTestId('worker').getByText('busy', { exact: true }));
    },
  },
  {
    name: 'events',
    caption: 'The bus: every event as it passes, and the rule that would take it.',
    lens: DESKTOP,
    at: '#/events',
    play: async (page, studio) => {
      await visible(page.getByRole('heading', { name: 'Events' }));
      await submitted(studio, {
        workflow_id: 'text_to_image_v1',
        payload: textToImage({ steps: 8, seed: 602 }),
      });
      const row = page.locator('[data-testid="event"][data-type="Task Completed"]');
      await visible(row);
      await row.first().locator('summary').click();
    },
  },
];

const refused: readonly Scene[] = [
  {
    name: 'refused',
    caption: 'A workflow that no worker could run is refused at once, input by input.',
    lens: DESKTOP,
    play: async (page) => {
      await page.getByTestId('checkpoint').fill('no-such-model.safetensors');
      await page.getByTestId('steps').fill('0');
      await page.getByTestId('generate').click();
      await visible(page.getByTestId('error'));
      await toTop(page);
    },
  },
  {
    name: 'refused-editor-format',
    caption: 'A file in the editor’s own format says how to export it for the API.',
    lens: DESKTOP,
    play: async (page) => {
      await openWorkflow(page, 'my workflow.json', editorFormat);
      await visible(page.getByTestId('file-problem'));
      await onlyJob(page);
    },
  },
];

const elsewhere: readonly Scene[] = [
  {
    name: 'light',
    caption: 'The light theme.',
    lens: LIGHT,
    play: async (page, { pod }) => {
      await pod.hold(15);
      await generate(page, { prompt: 'purple mountains, golden hour', seed: 701 });
      await atStep(page, 15);
      await visible(page.getByTestId('preview'));
      await toTop(page);
    },
  },
  {
    name: 'phone-create',
    caption: 'On a phone: the form.',
    lens: PHONE,
    play: async (page) => visible(page.getByTestId('generate')),
  },
  {
    name: 'phone-running',
    caption: 'On a phone: a run.',
    lens: PHONE,
    play: async (page, { pod }) => {
      await pod.hold(9);
      await generate(page, { prompt: 'a quiet village in winter', seed: 702 });
      await atStep(page, 9);
      await visible(page.getByTestId('preview'));
    },
  },
  {
    name: 'phone-done',
    caption: 'On a phone: its picture.',
    lens: PHONE,
    play: async (page) => {
      await generate(page, { prompt: 'a sailing boat at dusk', seed: 703 });
      await finished(page);
    },
  },
];

export const scenes: readonly Scene[] = [...started, ...ended, ...views, ...refused, ...elsewhere];
