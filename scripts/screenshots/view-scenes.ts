/** The other views, what is refused, and other windows. */
import type { Page } from 'playwright-core';
import { textToImage } from '../../test/support/workflows.ts';
import { DESKTOP, LIGHT, PHONE } from './camera.ts';
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
import type { Scene } from './scene.ts';
import type { Studio } from './studio.ts';
import { clipAndSound, editorFormat } from './workflows.ts';

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

export const views: readonly Scene[] = [
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

export const refused: readonly Scene[] = [
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

export const elsewhere: readonly Scene[] = [
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
