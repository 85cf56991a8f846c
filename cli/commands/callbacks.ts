/** What was delivered to the callback URL of a task, and a delivery once more. */
import { callbackListSchema } from '../../shared-types/index.ts';
import type * as z from 'zod';
import { EXIT, type ExitCode } from '../cli-error.ts';
import { printJson, type Context } from '../context.ts';
import { duration } from '../progress-line.ts';
import { table } from '../table.ts';

type Delivery = z.infer<typeof callbackListSchema>['deliveries'][number];

const HEADINGS = ['AT', 'EVENT', 'ANSWER', 'TOOK', 'STATUS', 'NEXT TRY', 'URL'];

/** A row for each attempt, and for what is still to be attempted one without an answer. */
const rowsOf = ({ event, status, attempts, next_attempt_at, url }: Delivery): string[][] => {
  if (attempts.length === 0) return [['', event, '', '', status, next_attempt_at ?? '', url]];
  return attempts.map(({ at, status_code, error, duration_ms }, index) => {
    const isLast = index === attempts.length - 1;
    const answer = [status_code === null ? [] : String(status_code), error === '' ? [] : error]
      .flat()
      .join(' ');
    const outcome = isLast ? [status, next_attempt_at ?? '', url] : ['', '', ''];
    return [at, event, answer, duration(duration_ms / 1000), ...outcome];
  });
};

/** @param redeliver call the URL once more, now: each time it is asked for, so it is not repeated by itself */
export const callbacksCommand = async (
  id: string,
  redeliver: boolean,
  context: Context,
): Promise<ExitCode> => {
  const path = `/tasks/${encodeURIComponent(id)}/callbacks`;
  const call = redeliver ? ({ method: 'POST', path: `${path}/redeliver` } as const) : { path };
  const list = await context.api.json(callbackListSchema, call);
  if (context.json) printJson(context, list);
  else if (list.deliveries.length > 0) context.out.write(table(HEADINGS, list.deliveries.flatMap(rowsOf)));
  else
    context.progress.write('no callback was made: the task has not ended, or was submitted without a URL\n');
  return EXIT.ok;
};
