/** `npx cdk deploy --app "npx tsx examples/completed-tasks-queue/app.ts" -c eventBusName=dev-comfyui-events` */
import { App } from 'aws-cdk-lib/core';
import { CompletedTasksQueue } from './stack.ts';

const usage = 'npx cdk deploy --app "npx tsx examples/completed-tasks-queue/app.ts" -c eventBusName=NAME';
if (process.argv.includes('--help')) {
  process.stdout.write(`A queue that gets a line per finished task.\n\n${usage}\n`);
  process.exit(0);
}

const app = new App();
const eventBusName: unknown = app.node.tryGetContext('eventBusName');
if (typeof eventBusName !== 'string' || eventBusName === '') {
  process.stderr.write(`name the bus, the output EventBusName of the pipeline: ${usage}\n`);
  process.exit(1);
}
new CompletedTasksQueue(app, 'CompletedTasksQueue', { eventBusName });
