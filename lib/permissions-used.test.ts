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
  /** The IAM actions behind each method, with spaces between them. */
  readonly methods: Readonly<Record<string, string>>;
}

/** The ports of `functions/core` that reach AWS, by the name that code usually gives them. */
const ports: Readonly<Record<string, Port>> = {
  jobs: {
    factory: 'createJobStore',
    methods: { create: 'PutItem', get: 'GetItem', update: 'UpdateItem' },
  },
  idempotency: {
    factory: 'createIdempotencyStore',
    methods: { get: 'GetItem', claim: 'PutItem GetItem' },
  },
  connections: {
    factory: 'createConnectionStore',
    methods: {
      create: 'PutItem',
      get: 'GetItem',
      addJob: 'UpdateItem',
      removeJob: 'UpdateItem',
      remove: 'DeleteItem',
    },
  },
  subscriptions: {
    factory: 'createSubscriptionStore',
    methods: { subscribe: 'UpdateItem', unsubscribe: 'UpdateItem' },
  },
  queue: {
    factory: 'createQueueStore',
    // An entry is put, and then the share of its user marked.
    methods: { put: 'PutItem UpdateItem', list: 'Query', remove: 'DeleteItem', count: 'Query' },
  },
  shares: {
    factory: 'createShareStore',
    methods: {
      list: 'Query',
      get: 'GetItem',
      claim: 'UpdateItem',
      release: 'GetItem UpdateItem',
      settleEmpty: 'UpdateItem',
      setPaused: 'UpdateItem',
      setAllPaused: 'PutItem',
    },
  },
  index: {
    factory: 'createJobIndex',
    methods: { list: 'by-user/Query', counts: 'by-user/Query', due: 'by-due/Query' },
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
      setDraining: 'UpdateItem',
      quarantine: 'UpdateItem',
      setCatalogue: 'UpdateItem',
    },
  },
  catalogues: {
    factory: 'createCatalogueStore',
    methods: { put: 'workflows/PutObject', get: 'workflows/GetObject' },
  },
  callbacks: {
    factory: 'createCallbackStore',
    methods: {
      create: 'PutItem',
      get: 'GetItem',
      list: 'Query',
      replace: 'PutItem',
      due: 'by-due/Query',
      secrets: 'GetItem PutItem',
      rotate: 'GetItem UpdateItem',
    },
  },
  stored: {
    factory: 'createStoredWorkflowStore',
    methods: {
      put: 'PutItem UpdateItem DeleteItem',
      get: 'GetItem',
      list: 'Query',
      remove: 'DeleteItem',
    },
  },
  keys: {
    factory: 'createApiKeyStore',
    methods: { create: 'PutItem', findBySecret: 'GetItem', list: 'Query', revoke: 'GetItem UpdateItem' },
  },
  tickets: { factory: 'createTicketStore', methods: { create: 'PutItem', redeem: 'DeleteItem' } },
  profiles: { factory: 'createProfileStore', methods: { get: 'GetItem', put: 'PutItem' } },
  timeline: { factory: 'createTimelineStore', methods: { append: 'PutItem', list: 'Query' } },
  outputs: { factory: 'createOutputStore', methods: { put: 'PutItem', get: 'Query' } },
  workflows: {
    factory: 'createWorkflowStore',
    methods: {
      put: 'workflows/PutObject',
      get: 'workflows/GetObject',
      putFiles: 'workflows/PutObject',
      getFiles: 'workflows/GetObject',
      urlOf: 'workflows/GetObject',
    },
  },
  uploads: {
    factory: 'createUploadStore',
    // A list is what comes with GetObject: see `grantObjects`.
    methods: { presign: 'uploads/PutObject', find: 'uploads/GetObject', open: 'uploads/GetObject' },
  },
  media: {
    factory: 'createMediaStore',
    // An upload in parts that fails is taken back.
    methods: { put: 'media/PutObject', head: 'media/GetObject', cleanUp: 'media/AbortMultipartUpload' },
  },
  publisher: { factory: 'createEventPublisher', methods: { publish: 'events/PutEvents' } },
  pusher: { factory: 'createPusher', methods: { send: 'connections/ManageConnections' } },
};

const grantedTo = (name: FunctionName): readonly string[] => {
  const spec = functionSpecs[name];
  return [
    ...spec.tableActions,
    ...(spec.indexes ?? []).map((index) => `${index}/Query`),
    ...(spec.mediaActions ?? []).map((action) => `media/${action}`),
    ...(spec.workflowActions ?? []).map((action) => `workflows/${action}`),
    ...(spec.uploadActions ?? []).map((action) => `uploads/${action}`),
    ...(spec.publishes ? ['events/PutEvents'] : []),
    ...(spec.pushes ? ['connections/ManageConnections'] : []),
  ];
};

const actionsOf = ({ methods }: Port): readonly string[] =>
  Object.values(methods).flatMap((actions) => actions.split(' '));

/** The actions behind the calls that are left when everything the handler can't reach is shaken off. */
const calledIn = (source: string): readonly string[] => {
  const called = [...source.matchAll(/\b(\w+)\.(\w+)\(/g)].flatMap(([, name = '', method = '']) => {
    const port = Object.hasOwn(ports, name) ? ports[name] : undefined;
    // A name such as `keys` means the port only where its adapter is made.
    if (port === undefined || !source.includes(`${port.factory}(`)) return [];
    return Object.hasOwn(port.methods, method) ? (port.methods[method] ?? '').split(' ') : [];
  });
  return [...new Set(called)];
};

const wiredIn = (source: string): readonly Port[] =>
  Object.values(ports).filter(({ factory }) => source.includes(`${factory}(`));

/** One build each, so that a function which does not build fails its own tests and no others. */
const sourceOf = async (name: FunctionName): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [handlerOf(name)],
    outdir: functionsRoot,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
};

const written = functionNames.filter((name) => existsSync(handlerOf(name)));

describe.each(written)('%s', (name) => {
  const granted = grantedTo(name);
  let source = '';
  beforeAll(async () => {
    source = await sourceOf(name);
  });

  test('may do what its code calls', () => {
    expect(calledIn(source).filter((action) => !granted.includes(action))).toEqual([]);
  });

  test('may use each adapter that it is given', () => {
    const useless = wiredIn(source).filter(
      (port) => !actionsOf(port).some((action) => granted.includes(action)),
    );
    expect(useless.map(({ factory }) => factory)).toEqual([]);
  });

  test('may do nothing that none of its adapters does', () => {
    const possible = wiredIn(source).flatMap(actionsOf);
    expect(granted.filter((action) => !possible.includes(action))).toEqual([]);
  });
});
