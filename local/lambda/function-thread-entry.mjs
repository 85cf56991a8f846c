/**
 * Runs inside the thread of one function: loads the handler, then answers one invocation at a time.
 * Plain JavaScript, so that a thread starts without a compiler.
 */
import { createRequire, Module } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';

const { codeDirectory, handler: handlerName, callbacks, sourceMaps, context: fixedContext } = workerData;

const send = parentPort.postMessage.bind(parentPort);

for (const stream of [process.stdout, process.stderr]) {
  stream.write = (chunk, encodingOrDone, maybeDone) => {
    const encoding = typeof encodingOrDone === 'string' ? encodingOrDone : 'utf8';
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString(encoding);
    send({ kind: 'output', text });
    const done = typeof encodingOrDone === 'function' ? encodingOrDone : maybeDone;
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
}

if (sourceMaps) process.setSourceMapsEnabled(true);

process.on('uncaughtException', (error) => crash(describe(error)));
process.on('unhandledRejection', (reason) => {
  const { errorMessage, trace } = describe(reason);
  const message = reason instanceof Error ? `${reason.name}: ${errorMessage}` : errorMessage;
  crash({ errorType: 'Runtime.UnhandledPromiseRejection', errorMessage: message, trace });
});

/** @param {{errorType: string, errorMessage: string, trace: string[]}} failure */
function crash(failure) {
  send({ kind: 'crash', failure });
  process.exit(1);
}

/** @param {unknown} error */
function describe(error) {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: format(error), trace: [] };
  const trace = (error.stack ?? '').split('\n');
  return { errorType: error.name || 'Error', errorMessage: error.message, trace };
}

class RuntimeError extends Error {
  constructor(name, message, options) {
    super(message, options);
    this.name = name;
  }
}

async function loadHandler() {
  const [, folder, moduleName, exportPath] = /^((?:.*\/)?)([^./]+)\.(.+)$/.exec(handlerName) ?? [];
  if (!exportPath) throw new RuntimeError('Runtime.MalformedHandlerName', `Bad handler ${handlerName}`);
  const base = join(codeDirectory, folder, moduleName);
  const file = [`${base}.js`, `${base}.mjs`, `${base}.cjs`].find((candidate) => existsSync(candidate));
  if (!file) {
    const message = `Error: Cannot find module '${basename(base)}'; looked for .js, .mjs and .cjs in ${dirname(base)}`;
    throw new RuntimeError('Runtime.ImportModuleError', message);
  }
  const exports = await loadModule(file);
  let found = exports;
  for (const key of exportPath.split('.')) found = found?.[key];
  if (typeof found === 'function') return found;
  const reason = found === undefined ? 'is undefined or not exported' : 'is not a function';
  throw new RuntimeError('Runtime.HandlerNotFound', `${handlerName} ${reason}`);
}

/** A lone `index.js` is CommonJS on Lambda, whatever the package.json above the assembly says. */
async function loadModule(file) {
  const ownPackage = existsSync(join(codeDirectory, 'package.json'));
  if (file.endsWith('.js') && !ownPackage) return loadCommonJs(file);
  const namespace = await import(pathToFileURL(file).href);
  return 'default' in namespace && typeof namespace.default === 'object'
    ? { ...namespace.default, ...namespace }
    : namespace;
}

function loadCommonJs(file) {
  const module = new Module(file);
  module.filename = file;
  module.paths = createRequire(file).resolve.paths('package') ?? [];
  module._compile(readFileSync(file, 'utf8'), file);
  return module.exports;
}

function contextFor({ requestId, functionArn, deadlineMs, clientContext }) {
  return {
    ...fixedContext,
    awsRequestId: requestId,
    invokedFunctionArn: functionArn,
    clientContext,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
}

/** Handlers with a third parameter answer through a callback, on the runtimes that still know them. */
function call(handler, event, context) {
  if (handler.length < 3) return handler(event, context);
  if (!callbacks) {
    const message = 'Callback-based handlers ended with nodejs22.x; use an async function';
    throw new RuntimeError('Runtime.CallbackHandlerDeprecated', message);
  }
  return new Promise((resolve, reject) => {
    const done = (error, result) => (error === null || error === undefined ? resolve(result) : reject(error));
    const returned = handler(event, context, done);
    if (returned && typeof returned.then === 'function') returned.then(resolve, reject);
  });
}

async function answer(handler, invocation) {
  try {
    const result = await call(handler, JSON.parse(invocation.payload), contextFor(invocation));
    return { kind: 'result', payload: JSON.stringify(result) ?? 'null' };
  } catch (error) {
    return { kind: 'failure', failure: describe(error) };
  }
}

try {
  const handler = await loadHandler();
  parentPort.on('message', (invocation) => {
    answer(handler, invocation).then(
      (message) => send(message),
      (error) => crash(describe(error)),
    );
  });
  send({ kind: 'ready' });
} catch (error) {
  send({ kind: 'initFailure', failure: describe(error) });
  process.exit(1);
}
