/** The environment of a function, read once: everything that is missing or wrong is said at once. */
import * as z from 'zod';
import { PipelineError } from '../core/errors.ts';

/**
 * Parses the named variables.
 * @throws PipelineError `environment.invalid` (a defect: the function cannot start) naming each variable
 */
export const readEnvironment = <S extends z.ZodRawShape>(
  shape: S,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): z.infer<z.ZodObject<S>> => {
  const read = z.object(shape).safeParse(environment);
  if (read.success) return read.data;
  const problems = read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new PipelineError('environment.invalid', problems.join('; '), { retryable: false });
};

/** A variable that must be set to something. */
export const required = z.string('is not set').min(1, 'is empty');
