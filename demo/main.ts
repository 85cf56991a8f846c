/** `npm start`: the whole pipeline on this machine. */
import path from 'node:path';
import { Command } from 'commander';
import { buildAssembly, buildPage, buildWorkers, pageDir, projectRoot } from './build.ts';
import { readSettings, type DemoSettings } from './config.ts';
import { startDemo, type Demo } from './start-demo.ts';
import { builtPrograms } from './workers.ts';

const help = `
Environment:
  PORT           port of the task API, default 8080; the page takes the next one; 0: free ports
  COMFYUI_URL    a real ComfyUI instead of the demo pods, for example http://127.0.0.1:8188
  PODS           demo pods, 1-8, default 2
  STEP_DELAY_MS  time of one sampling step of a demo pod in milliseconds, default 200
  DATA_DIR       keeps state over restarts (also --data)
  LOCAL_DIR      folder of endpoints.json and the logs, default .local

.local/endpoints.json holds every address while it runs. Ctrl-C stops it.`;

/** Of endpoints.json, the logs and the synthesized template. */
const localDir = path.resolve(process.env['LOCAL_DIR'] ?? path.join(projectRoot, '.local'));

const readCommandLine = (): DemoSettings => {
  const program = new Command('npm start --')
    .description('Runs the event pipeline whole on this machine: embedded AWS, workers, page.')
    .option('--data <dir>', 'keeps state over restarts')
    .addHelpText('after', help)
    .parse();
  const { data } = program.opts<{ data?: string }>();
  const { PORT, COMFYUI_URL, PODS, STEP_DELAY_MS, DATA_DIR } = process.env;
  return readSettings({ PORT, COMFYUI_URL, PODS, STEP_DELAY_MS, DATA_DIR: data ?? DATA_DIR });
};

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Asked first: a wrong address should not wait for a build to be noticed. */
const checkComfyUi = async (url: string | undefined): Promise<void> => {
  if (url === undefined) return;
  const response = await fetch(`${url}/prompt`, { signal: AbortSignal.timeout(10_000) }).catch(
    () => undefined,
  );
  if (response?.ok !== true)
    throw new Error(`COMFYUI_URL ${url} does not answer as a ComfyUI: start it, or check the address`);
};

const start = async (settings: DemoSettings): Promise<Demo> => {
  await checkComfyUi(settings.comfyUiUrl);
  say('… bundling the functions, synthesizing the template, building the page');
  const assembly = path.join(localDir, 'cdk.out');
  const workers = path.join(localDir, 'workers');
  await Promise.all([buildAssembly(assembly), buildWorkers(workers), buildPage()]);
  return startDemo({
    assembly,
    pageDir,
    port: settings.port,
    pods: settings.pods,
    stepDelayMs: settings.stepDelayMs,
    programs: builtPrograms(workers),
    ...(settings.comfyUiUrl === undefined ? {} : { comfyUiUrls: [settings.comfyUiUrl] }),
    ...(settings.dataDir === undefined ? {} : { dataDir: path.resolve(settings.dataDir) }),
    logDir: path.join(localDir, 'logs'),
    // Four a second are free of charge here, and a short demo is livelier for it.
    monitorEnv: { MONITOR_PROGRESS_INTERVAL_MS: process.env['MONITOR_PROGRESS_INTERVAL_MS'] ?? '250' },
    endpointsFile: path.join(localDir, 'endpoints.json'),
    onStep: (step) => say(`… ${step}`),
  });
};

const announce = ({ endpoints }: Demo): void => {
  say(`
Ready.

  Open        ${endpoints.pageUrl}
  Task API    ${endpoints.apiUrl}/api/v1/tasks
  WebSocket   ${endpoints.webSocketUrl}
  ComfyUI     ${endpoints.comfyUiUrls.join('  ')}
  All         ${path.relative(process.cwd(), path.join(localDir, 'endpoints.json'))}

Ctrl-C stops it.`);
};

/** A signal this long after the first one ends the process at once. */
const PATIENCE_MS = 3000;

/**
 * Resolves at the first signal. Ctrl-C comes twice: the terminal sends it to the whole group, and npm or tsx pass
 * it on once more; only one that comes later means impatience.
 */
const stopSignal = (): Promise<void> =>
  new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = (): void => {
      first ??= Date.now();
      if (Date.now() - first > PATIENCE_MS) process.exit(130);
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  });

const main = async (): Promise<void> => {
  const stopped = stopSignal();
  const starting = start(readCommandLine());
  const demo = await Promise.race([starting, stopped]);
  if (demo !== undefined) {
    announce(demo);
    await stopped;
  }
  say('\nStopping…');
  // Interrupted while starting: what has started by then is stopped, what failed has cleaned up after itself.
  await starting.then(
    (started) => started.stop(),
    () => undefined,
  );
  say('Stopped.');
};

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
