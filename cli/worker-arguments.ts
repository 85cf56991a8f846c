/** The commands about workers and the queue. */
import type { Command } from 'commander';
import { metricsCommand, queueCommand, setDrainingCommand, workersCommand } from './commands/workers.ts';
import type { Runner } from './context.ts';

export const addWorkerCommands = (program: Command, run: Runner): void => {
  program
    .command('workers')
    .description('The workers.')
    .action(() => run(workersCommand));
  for (const action of ['drain', 'resume'] as const) {
    program
      .command(action)
      .description(
        action === 'drain' ? 'Give a worker nothing more.' : 'Take a drained worker into service again.',
      )
      .argument('<worker>')
      .action((id: string) => run((context) => setDrainingCommand(id, action, context)));
  }
  program
    .command('metrics')
    .description('Your tasks by state, and the workers by state.')
    .action(() => run(metricsCommand));
  const queue = program.command('queue').description('Pause and resume the start of further tasks.');
  queue
    .command('status')
    .description('Whether yours, or everybody’s, is paused.')
    .action(() => run((context) => queueCommand('status', 'mine', context)));
  for (const action of ['pause', 'resume'] as const) {
    queue
      .command(action)
      .description(action === 'pause' ? 'Start no further tasks; what runs goes on.' : 'Start tasks again.')
      .option('--all', 'everybody’s queue (operators)', false)
      .action((given: { all: boolean }) =>
        run((context) => queueCommand(action, given.all ? 'all' : 'mine', context)),
      );
  }
};
