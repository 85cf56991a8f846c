/** The commands about stored workflows and API keys. */
import type { Command } from 'commander';
import { createKeyCommand, listKeysCommand, revokeKeyCommand } from './commands/keys.ts';
import {
  listWorkflowsCommand,
  putWorkflowCommand,
  removeWorkflowCommand,
  showWorkflowCommand,
} from './commands/workflows.ts';
import { collect, wholeNumber } from './option-values.ts';
import type { Runner } from './context.ts';

const addWorkflows = (program: Command, run: Runner): void => {
  const workflows = program.command('workflows').description('Workflows that are kept under an id.');
  workflows
    .command('put')
    .description('Keep a workflow, with names for what may be set.')
    .argument('<id>')
    .argument('<file>', 'API-format JSON')
    .option(
      '--param <name=target>',
      'name=<nodeId>.inputs.<input>, or anything that --set finds (repeatable)',
      collect,
      [],
    )
    .action((id: string, file: string, given: { param: string[] }) =>
      run((context) => putWorkflowCommand(id, file, given.param, context)),
    );
  workflows
    .command('ls')
    .description('Your stored workflows.')
    .action(() => run(listWorkflowsCommand));
  workflows
    .command('show')
    .description('One of them, with its parameters.')
    .argument('<id>')
    .action((id: string) => run((context) => showWorkflowCommand(id, context)));
  workflows
    .command('rm')
    .description('Forget a stored workflow; tasks that were made of it go on.')
    .argument('<id>')
    .action((id: string) => run((context) => removeWorkflowCommand(id, context)));
};

const addKeys = (program: Command, run: Runner): void => {
  const keys = program.command('keys').description('API keys.');
  keys
    .command('create')
    .description('A new key, shown this once.')
    .argument('[name]', 'what it is for', 'command line')
    .option(
      '--scope <scope>',
      'tasks:read, tasks:write, workers:read, keys:write, admin (repeatable)',
      collect,
      [],
    )
    .option('--days <n>', 'until it expires', wholeNumber(1, 3650))
    .option('--user <id>', 'whose key it is to be (operators)')
    .action((name: string, given: { scope: string[]; days?: number; user?: string }) =>
      run((context) =>
        createKeyCommand({ name, scopes: given.scope, days: given.days, user: given.user }, context),
      ),
    );
  keys
    .command('ls')
    .description('Your keys, without their secrets.')
    .option('--user <id>', 'whose keys (operators)')
    .action((given: { user?: string }) => run((context) => listKeysCommand(given.user, context)));
  keys
    .command('revoke')
    .description('Revoke a key, at once and for good.')
    .argument('<id>')
    .option('--user <id>', 'whose key it is (operators)')
    .action((id: string, given: { user?: string }) =>
      run((context) => revokeKeyCommand(id, given.user, context)),
    );
};

export const addAccountCommands = (program: Command, run: Runner): void => {
  addWorkflows(program, run);
  addKeys(program, run);
};
