/** `npx cdk deploy --app "npx tsx examples/completed-tasks-queue/app.ts" -c eventBusName=dev-comfyui-events` */
import { App } from 'aws-cdk-lib/core';
import { CompletedTasksQueue } from './stack.ts';

const app = new App();
const eventBusName: unknown = app.node.tryGetContext('eventBusName');
if (typeof eventBusName !== 'string' || eventBusName === '') {
  process.stderr.write('name the bus: -c eventBusName=<output EventBusName of the pipeline>\n');
  process.exit(1);
}
new CompletedTasksQueue(app, 'CompletedTasksQueue', { eventBusName });
