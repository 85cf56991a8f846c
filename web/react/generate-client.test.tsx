import { describe, expect, test } from '@jest/globals';
import { renderToString } from 'react-dom/server';
import { createPipelineClient } from '../client/pipeline-client.ts';
import type { NodeRecord, RunningNode, StoredOutput } from '../../shared-types/index.ts';
import { pushExamples } from '../../shared-types/push-examples.ts';
import { GenerateClient } from './generate-client.tsx';
import type { GenerationView } from './generation-store.ts';
import { safeUrl, sizeText } from './output-view.tsx';
import { useGeneration, type Generation } from './use-generation.ts';

const sampler = pushExamples.job_progress as unknown as RunningNode;
const generation = (changes: Partial<GenerationView>): Generation => ({
  status: 'running',
  progress: { percentage: 67.9, step: 15, steps: 20, completedNodes: 4, cachedNodes: 2, totalNodes: 7 },
  currentNode: 'K-Sampler',
  nodeState: 'executing',
  runningNodes: [sampler],
  nodes: [],
  eta: { lowSeconds: 22, highSeconds: 31 },
  queuePosition: null,
  durationMs: null,
  preview: null,
  retries: [],
  cancelling: false,
  message: 'Generating image using K-Sampler: 15/20 steps (75%)',
  images: [],
  missing: [],
  error: null,
  connection: 'open',
  jobId: 'job',
  generate: () => Promise.resolve(undefined),
  resume: () => undefined,
  retry: () => Promise.resolve(undefined),
  cancel: () => Promise.resolve(),
  ...changes,
});
const html = (changes: Partial<GenerationView>): string =>
  renderToString(<GenerateClient generation={generation(changes)} />).replaceAll('<!-- -->', '');
const output = (changes: Partial<StoredOutput>): StoredOutput => ({
  ...(pushExamples.job_completed.outputs[0] as unknown as StoredOutput),
  ...changes,
});
const outputHtml = (changes: Partial<StoredOutput>): string =>
  html({ status: 'completed', currentNode: '', images: [output(changes)] });

describe('while it runs', () => {
  test('shows node, steps, nodes and a percentage rounded down', () => {
    const page = html({});
    expect(page).toContain('data-testid="current-node">K-Sampler<');
    expect(page).toContain('15/20 steps');
    expect(page).toContain('4 of 7 nodes (2 cached)');
    expect(page).toMatch(/data-testid="percentage"[^>]*>67%</);
    expect(page).toContain('aria-valuenow="67"');
    expect(page).toMatch(
      /data-testid="message"[^>]*>Generating image using K-Sampler: 15\/20 steps \(75%\)</,
    );
    expect(page).toMatch(/data-testid="eta"[^>]*>about 20–30 s left</);
  });

  test('99.9% is not yet 100%', () => {
    const progress = { ...generation({}).progress, percentage: 99.9 };
    expect(html({ progress })).toMatch(/data-testid="percentage"[^>]*>99%</);
  });

  test('names of nodes are text, never markup', () => {
    expect(html({ runningNodes: [{ ...sampler, nodeName: '<img src=x onerror=alert(1)>' }] })).toContain(
      '&lt;img src=x',
    );
  });

  test('nothing is shown before the first generation', () => {
    expect(html({ status: 'idle' })).toBe('');
  });
});

const node = (nodeId: string, changes: Partial<NodeRecord> = {}): NodeRecord => ({
  nodeId,
  nodeName: `Node ${nodeId}`,
  nodeType: 'VAEDecode',
  state: 'executed',
  at: '2026-11-22T10:00:09.000Z',
  durationMs: 1240,
  ...changes,
});

describe('nodes', () => {
  test('at work at the same time stand side by side, each with its own steps; one is the current one', () => {
    const upscale = {
      ...sampler,
      nodeId: '8',
      nodeName: 'Upscale',
      nodeType: 'ImageScale',
      nodeProgress: 3,
      nodeMaxProgress: 9,
    };
    const page = html({ runningNodes: [sampler, upscale] });
    expect(page.split('class="gc-node"')).toHaveLength(3);
    expect(page.split('data-testid="current-node"')).toHaveLength(2);
    expect(page).toContain('data-testid="parallel-node">Upscale<');
    expect(page).toContain('3/9 steps');
    expect(page).toContain('data-category="sample"');
    expect(page).toContain('data-category="image"');
  });

  test('more than fit are counted', () => {
    const many = Array.from({ length: 11 }, (_, n) => ({ ...sampler, nodeId: `${n}` }));
    const page = html({ runningNodes: many });
    expect(page.split('class="gc-node"')).toHaveLength(9);
    expect(page).toContain('and 3 more');
  });

  test('that are done are listed with their times, those from the cache as such, running ones not', () => {
    const page = html({
      nodes: [
        node('1', { state: 'cached', durationMs: null }),
        node('2'),
        node('3', { state: 'executing', durationMs: null }),
        node('4', { durationMs: null }),
      ],
    });
    expect(page).toContain('3, 1 cached');
    expect(page).toMatch(/Node 1<\/span><span class="gc-badge">cached</);
    expect(page).toMatch(/Node 2<\/span><span class="gc-row-time">1\.2 s</);
    expect(page).toMatch(/Node 4<\/span><span class="gc-row-time">done</);
    expect(page).not.toContain('Node 3<');
  });
});

describe('what is told to a screen reader', () => {
  const announced = (changes: Partial<GenerationView>): string | undefined =>
    /data-testid="announcement">([^<]*)</.exec(html(changes))?.[1];

  test('are nodes and states, not steps', () => {
    expect(announced({})).toBe('Processing K-Sampler');
    expect(announced({ status: 'pending', runningNodes: [], queuePosition: 2 })).toBe(
      'Number 2 in the queue',
    );
    expect(announced({ status: 'completed', runningNodes: [] })).toBe('Finished: 0 outputs');
  });

  test('a failure is said once, by its alert', () => {
    const error = { message: 'boom', nodeName: null, nodeType: null, nodeId: null, reason: null };
    expect(announced({ status: 'failed', message: 'boom', error })).toBe('');
  });

  test('only one place speaks politely', () => {
    expect(html({}).split('aria-live=')).toHaveLength(2);
  });
});

describe('tries', () => {
  test('say where each one stood and what was changed after it', () => {
    const tried = {
      retries: [
        {
          number: 1,
          message: 'out of memory',
          percentage: 67.9,
          nodeName: 'K-Sampler',
          step: 15,
          steps: 20,
          change: '512 × 512',
          note: 'Out of memory at 1024 × 1024: trying again at 512 × 512',
        },
        {
          number: 2,
          message: 'it restarted',
          percentage: 0,
          nodeName: '',
          step: 0,
          steps: 0,
          change: '',
          note: '',
        },
      ],
    } as const;
    const page = html(tried);
    expect(page).toMatch(
      /data-testid="other-try"[^>]*>Out of memory at 1024 × 1024: trying again at 512 × 512</,
    );
    expect(html({ ...tried, status: 'completed' })).not.toContain('other-try');
    expect(html({ ...tried, status: 'retrying' })).toContain('Will be tried again as it was');
    expect(page).toContain('Try 1 failed at K-Sampler, 15/20 steps (67%)');
    expect(page).toContain('Tried again with 512 × 512');
    expect(page).toContain('>Try 2 failed<');
    expect(page).toContain('Tried again as it was');
  });
});

describe('waiting', () => {
  test('shows the place, and that nobody can tell yet how long', () => {
    const page = html({ status: 'pending', runningNodes: [], queuePosition: 1, eta: null });
    expect(page).toMatch(/data-testid="queue-position">Next in the queue</);
    expect(page).toMatch(/data-testid="eta"[^>]*>estimating the time left</);
  });

  test('what is not known is not shown as 0%', () => {
    const page = html({ status: 'resuming', runningNodes: [] });
    expect(page).toContain('role="progressbar"');
    expect(page).not.toContain('aria-valuenow');
    expect(page).not.toContain('data-testid="percentage"');
  });
});

describe('buttons', () => {
  test('cancel while it runs, once; try again when it ended badly', () => {
    expect(html({})).toMatch(/data-testid="cancel"[^>]*>Cancel</);
    expect(html({ cancelling: true })).toMatch(/aria-disabled="true"[^>]*>Cancelling…</);
    expect(html({ status: 'completed', runningNodes: [] })).not.toContain('<button');
    expect(html({ status: 'cancelled', runningNodes: [] })).toContain('data-testid="retry"');
    expect(html({ status: 'failed', runningNodes: [], jobId: null })).not.toContain('<button');
  });
});

test('the picture so far is shown as the data that came', () => {
  const preview = { nodeId: '3', mimeType: 'image/jpeg', image: '/9j/4AAQ' } as const;
  expect(html({ preview })).toContain('src="data:image/jpeg;base64,/9j/4AAQ"');
});

test('how long it took is told at its end', () => {
  expect(html({ status: 'completed', runningNodes: [], durationMs: 12_400 })).toContain('took 12 s');
  expect(html({ durationMs: 12_400 })).not.toContain('took');
});

test('what the title says is not said twice', () => {
  expect(html({ status: 'cancelled', message: 'Cancelled', runningNodes: [] })).toMatch(
    /data-testid="message"[^>]*><\/p>/,
  );
});

describe('a line that is lost', () => {
  test.each([
    ['reconnecting', /was lost: this is what was known last/],
    ['polling', /was lost: news come every few seconds/],
  ] as const)('%s is told where one looks, while there is something to come', (connection, text) => {
    expect(html({ connection })).toMatch(text);
    expect(html({ connection, status: 'completed' })).not.toMatch(text);
  });

  test('one that opens for the first time is none', () => {
    expect(html({ connection: 'connecting' })).not.toContain('lost');
  });
});

describe('a failure', () => {
  test('says what can be done about it, where something can', () => {
    const error = {
      message: 'CUDA',
      nodeName: null,
      nodeType: null,
      nodeId: null,
      reason: 'outOfMemory' as const,
    };
    expect(html({ status: 'failed', error })).toContain('a smaller size or batch may fit');
    expect(html({ status: 'failed', error: { ...error, reason: 'nodeError' } })).toContain(
      'Check the inputs',
    );
    const other = { ...error, reason: '__proto__' as never };
    expect(html({ status: 'failed', error: other })).not.toContain('gc-advice');
  });

  test('names the node and says why, as an alert', () => {
    const error = {
      message: 'out of memory',
      nodeName: 'K-Sampler',
      nodeType: 'KSampler',
      nodeId: '3',
      reason: null,
    };
    const page = html({ status: 'failed', currentNode: '', message: 'out of memory', error });
    expect(page).toMatch(/role="alert"[^>]*data-testid="error"/);
    expect(page).toContain('K-Sampler (KSampler, node 3)');
    expect(page.split('out of memory')).toHaveLength(2);
    expect(page).not.toContain('role="progressbar"');
  });

  test('without a node shows the message alone', () => {
    const error = { message: 'no worker', nodeName: null, nodeType: null, nodeId: null, reason: null };
    expect(html({ status: 'failed', currentNode: '', error })).not.toContain('<strong>');
  });
});

describe('outputs', () => {
  test.each([
    ['image/png', '<img data-testid="picture"'],
    ['image/webp', '<img data-testid="picture"'],
    ['video/mp4', '<video'],
    ['audio/flac', '<audio'],
    ['text/plain; charset=utf-8', '<pre'],
  ])('%s is shown as what it is, with a link to download', (mimeType, tag) => {
    const page = outputHtml({ mimeType });
    expect(page).toContain(tag);
    expect(page).toContain('download="ComfyUI_00001_.png"');
    expect(page).toContain('421 KB');
  });

  test.each(['model/gltf-binary', 'text/html', 'application/octet-stream', ''])(
    '%j is only offered to download',
    (mimeType) => {
      expect(outputHtml({ mimeType })).not.toMatch(/<(img|video|audio|pre|iframe)/);
    },
  );

  test.each([
    'javascript:alert(1)',
    'data:text/html,<script>',
    'file:///etc/passwd',
    'http://[',
    ' jAvascript:x',
  ])('%j is no address to fetch', (src) => {
    expect(safeUrl(src)).toBeUndefined();
    const page = outputHtml({ src });
    expect(page).not.toContain('href=');
    expect(page).not.toContain('src=');
  });

  test('addresses of the web and of the page itself are', () => {
    for (const src of ['https://x.example/1.png', 'http://127.0.0.1:1/a', '/pictures/1.png']) {
      expect(safeUrl(src)).toBe(src);
    }
  });

  test('those that could not be stored are named', () => {
    expect(html({ status: 'completed', missing: ['a.png', 'b.png'] })).toContain('a.png, b.png');
  });

  test('sizes read as people count', () => {
    expect([0, 999, 1000, 421_337, 5_260_000, 12e9].map(sizeText)).toEqual([
      '0 B',
      '999 B',
      '1.0 KB',
      '421 KB',
      '5.3 MB',
      '12 GB',
    ]);
  });
});

test('the hook renders on a server: idle, with no storage read and no socket opened', () => {
  const client = createPipelineClient({ apiUrl: 'http://127.0.0.1:9', webSocketUrl: 'ws://127.0.0.1:9' });
  const Shown = () => {
    const { status, connection, jobId } = useGeneration({ client });
    return <p>{`${status} ${connection} ${String(jobId)}`}</p>;
  };
  expect(renderToString(<Shown />)).toBe('<p>idle idle null</p>');
  expect(client.connection).toBe('idle');
});
