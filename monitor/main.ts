/** `npm run monitor`: configuration from the environment, one monitor, a clean end on SIGTERM and SIGINT. */
import { Command } from 'commander';
import { pino } from 'pino';
import { ENVIRONMENT, readConfig } from './config.ts';
import { MonitorError } from './monitor-error.ts';
import { startMonitor, type RunningMonitor } from './run-monitor.ts';

const EXIT_CONFIG = 2;
const EXIT_FAILURE = 1;

const variables = ENVIRONMENT.map(([name, help]) => `  ${name.padEnd(30)} ${help}`).join('\n');

const command = new Command('monitor')
  .description('Watches one ComfyUI and publishes what it does to EventBridge.')
  .addHelpText(
    'after',
    `\nEnvironment:\n${variables}\n\nStandard AWS variables apply to the EventBridge client.`,
  );

/**
 * Resolves when the process is asked to end, by signal or because its parent went away. Ctrl-C comes twice (from the
 * terminal, and passed on by npm): the second one must not cut the farewell short, which has its own deadline.
 */
const asked = (): Promise<void> =>
  new Promise((resolve) => {
    process.on('SIGTERM', () => resolve());
    process.on('SIGINT', () => resolve());
    if (process.channel !== undefined) process.once('disconnect', () => resolve());
  });

const oneLine = (error: unknown): string => {
  if (error instanceof MonitorError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message.split('\n', 1).join('') : 'unknown error';
};

const run = async (): Promise<number> => {
  const reading = readConfig(process.env);
  if (reading.kind === 'invalid') {
    process.stderr.write(reading.problems.map((problem) => `${problem}\n`).join(''));
    return EXIT_CONFIG;
  }
  const { config } = reading;
  const log = pino({ level: config.logLevel, base: { workerId: config.workerId } });
  const ending = asked();
  let monitor: RunningMonitor | undefined;
  try {
    monitor = await startMonitor(config, { log });
  } catch (error) {
    process.stderr.write(`${oneLine(error)}\n`);
    return EXIT_FAILURE;
  }
  await ending;
  await monitor.stop();
  return 0;
};

command.parse();
process.exitCode = await run();
// An IPC channel that a parent opened must not keep the process.
if (process.connected) process.disconnect();
