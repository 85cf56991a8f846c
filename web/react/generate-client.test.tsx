import { describe, expect, test } from '@jest/globals';
import { renderToString } from 'react-dom/server';
import { createPipelineClient } from '../client/pipeline-client.ts';
import type { RunningNode, StoredOutput } from '../../shared-types/index.ts';
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
    expect(page).toMatch(/data-testid="eta"[^>]*>about 20–30 s</);
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

describe('a failure', () => {
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
