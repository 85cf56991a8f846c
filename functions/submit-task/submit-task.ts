import { errorReply, httpHandler, type HttpHandler } from '../adapters/http/http-handler.ts';
import { parseSubmission } from '../core/submission/parse-submission.ts';
import { submitTask, type SubmitDependencies } from '../core/submission/submit-task.ts';

/** POST /api/v1/tasks → 201, or 400/413 with one line. */
export const createSubmitTaskHandler = (dependencies: SubmitDependencies): HttpHandler =>
  httpHandler(dependencies.logger, async ({ userId, body }) => {
    const submission = parseSubmission(body);
    if (submission.kind === 'invalid') return errorReply(submission.status, submission.message);
    const accepted = await submitTask(submission, userId, dependencies);
    return { status: 201, body: JSON.stringify(accepted) };
  });
