/** Holds the permissions against the code: the embedded AWS asks for none, so nothing else would notice. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { functionNames, functionSpecs, type FunctionName } from './function-specs.ts';

const functionsRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../functions');
const handlerOf = (name: FunctionName): string => join(functionsRoot, name, 'handler.ts');

interface Port {
  /** What a handler calls to get the adapter. */
  readonly factory: string;
  /** The IAM action behind each method. */
  readonly methods: Readonly<Record<string, string>>;
}

/** The ports of `functions/core` that reach AWS, by the name that code usually gives them. */
const ports: Readonly<Record<string, Port>> = {
  jobs: {
    factory: 'createJobStore',
    methods: { create: 'PutItem', get: 'GetItem', update: 'UpdateItem' },
  },
  connections: {
    factory: 'createConnectionStore',
    methods: { create: 'PutItem', get: 'GetItem', addJob: 'UpdateItem', remove: 'DeleteItem' },
  },
  subscriptions: {
    factory: 'createSubscriptionStore',
    methods: { subscribe: 'UpdateItem', unsubscribe: 'UpdateItem' },
  },
  queue: {
    factory: 'createQueueStore',
    methods: { put: 'PutItem', list: 'Query', remove: 'DeleteItem' },
  },
  workers: {
    factory: 'createWorkerStore',
    methods: {
      register: 'UpdateItem',
      heartbeat: 'UpdateItem',
      stop: 'UpdateItem',
      get: 'GetItem',
      list: 'Query',
      claim: 'UpdateItem',
      release: 'UpdateItem',
      avoid: 'UpdateItem',
      markLost: 'UpdateItem',
    },
  },
  timeline: { factory: 'createTimelineStore', methods: { append: 'PutItem' } },
  outputs: { factory: 'createOutputStore', methods: { put: 'PutItem', get: 'Query' } },
  workflows: {
    factory: 'createWorkflowStore',
    methods: { put: 'workflows PutObject', get: 'workflows GetObject' },
  },
  media: {
    factory: 'createMediaStore',
    // An upload in parts that fails is taken back.
    methods: { put: 'media PutObject', head: 'media GetObject', cleanUp: 'media AbortMultipartUpload' },
  },
  publisher: { factory: 'createEventPublisher', methods: { publish: 'events PutEvents' } },
  pusher: { factory: 'createPusher', methods: { send: 'connections ManageConnections' } },
};

const grantedTo = (name: FunctionName): readonly string[] => {
  const { tableActions, mediaActions = [], workflowActions = [], publishes, pushes } = functionSpecs[name];
  return [
    ...tableActions,
    ...mediaActions.map((action) => `media ${action}`),
    ...workflowActions.map((action) => `workflows ${action}`),
    ...(publishes ? ['events PutEvents'] : []),
    ...(pushes ? ['connections ManageConnections'] : []),
  ];
};

/** The actions behind the calls that are left when everything the handler can't reach is shaken off. */
const calledIn = (source: string): readonly string[] => {
  const called = [...source.matchAll(/\b(\w+)\.(\w+)\(/g)].flatMap(([, port = '', method = '']) => {
    const methods = Object.hasOwn(ports, port) ? ports[port]?.methods : undefined;
    return methods?.[method] ?? [];
  });
  return [...new Set(called)];
};

const wiredIn = (source: string): readonly Port[] =>
  Object.values(ports).filter(({ factory }) => source.includes(`${factory}(`));

const written = functionNames.filter((name) => existsSync(handlerOf(name)));
const sources = new Map<string, string>();

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: written.map((name) => ({ in: handlerOf(name), out: name })),
    outdir: functionsRoot,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  for (const { path, text } of outputFiles) sources.set(path.replace(/^.*[\\/](.*)\.js$/, '$1'), text);
});

describe.each(written)('%s', (name) => {
  const granted = grantedTo(name);
  const source = (): string => sources.get(name) ?? '';

  test('may do what its code calls', () => {
    expect(calledIn(source()).filter((action) => !granted.includes(action))).toEqual([]);
  });

  test('may use each adapter that it is given', () => {
    const useless = wiredIn(source()).filter(
      ({ methods }) => !Object.values(methods).some((a) => granted.includes(a)),
    );
    expect(useless.map(({ factory }) => factory)).toEqual([]);
  });

  test('may do nothing that none of its adapters does', () => {
    const possible = wiredIn(source()).flatMap(({ methods }) => Object.values(methods));
    expect(granted.filter((action) => !possible.includes(action))).toEqual([]);
  });
});
