import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { EmbeddedAwsError } from './contract.ts';
import type { EmbeddedAws } from './embedded-aws.ts';

interface CliOptions {
  readonly assembly: string;
  readonly data?: string;
  readonly port?: number;
  readonly logs: boolean;
}

const program = new Command('embedded-aws')
  .description(
    'Runs a synthesized CDK application (cdk.out) on this machine, without Docker and without an account.',
  )
  .requiredOption('--assembly <directory>', 'cloud assembly that "cdk synth" wrote, for example cdk.out')
  .option('--data <directory>', 'keep tables, objects and messages there for the next start')
  .option('--port <number>', 'port of the endpoint on 127.0.0.1 (default: any free one)', parsePort)
  .option('--no-logs', 'do not print what functions and services log (JSON lines on stderr)')
  .action(run);

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}

async function run({ assembly, data, port, logs }: CliOptions): Promise<void> {
  const logger = pino({ level: logs ? 'info' : 'silent' }, pino.destination({ fd: 2, sync: true }));
  // Loaded when it is needed: a wrong option is told at once.
  const { startEmbeddedAws } = await import('./embedded-aws.ts');
  const aws = await startEmbeddedAws({
    assembly,
    log: (event, details) => logger.info(details ?? {}, event),
    ...(data === undefined ? {} : { dataDir: data }),
    ...(port === undefined ? {} : { port }),
  });
  // Ctrl-C comes twice when npm passes it on; closing is idempotent.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void aws.close());
  process.stdout.write(summary(aws));
}

function summary(aws: EmbeddedAws): string {
  const outputs = Object.entries(aws.outputs).flatMap(([stack, values]) =>
    Object.entries(values).map(([name, value]) => `${stack}.${name} = ${value}`),
  );
  const environment = [`AWS_ENDPOINT_URL=${aws.endpoint}`, `AWS_REGION=${aws.region}`];
  return `${[...environment, ...outputs, 'Ready. Ctrl-C stops it.'].join('\n')}\n`;
}

try {
  await program.parseAsync();
} catch (error) {
  const message = error instanceof EmbeddedAwsError ? error.message : String(error);
  process.stderr.write(`embedded-aws: ${message}\n`);
  process.exitCode = 1;
}
