/** What a prompt is expected to take on the worker that it goes to. */
import type { Logger } from '../ports.ts';
import { expectedOf, type Expected, type History } from './expectations.ts';
import { CLASS_PROFILE, type ProfileStore } from './ports.ts';
import { shapeOf, type WorkflowShape } from './workflow-shape.ts';

export interface ExpectDependencies {
  readonly profiles: ProfileStore;
  readonly logger: Logger;
}

/** What is known of the workflow, and of its classes, on workers of that kind. */
export const readHistory = async (
  shape: WorkflowShape,
  kind: string,
  { profiles }: ExpectDependencies,
): Promise<History> => {
  const [profile, classes] = await Promise.all([
    profiles.get({ of: shape.hash, kind }),
    profiles.get({ of: CLASS_PROFILE, kind }),
  ]);
  return { profile, classes };
};

/** @throws SyntaxError when the text is no JSON */
export const shapeOfText = (workflowText: string): WorkflowShape | undefined =>
  shapeOf(JSON.parse(workflowText) as unknown);

/** Undefined when nothing is known. Never rejects: a prompt goes out without expectations rather than not at all. */
export const expectPrompt = async (
  jobId: string,
  workflowText: string,
  kind: string,
  deps: ExpectDependencies,
): Promise<Expected | undefined> => {
  try {
    const shape = shapeOfText(workflowText);
    return shape === undefined ? undefined : expectedOf(shape, await readHistory(shape, kind, deps));
  } catch (error) {
    deps.logger.warn('estimate.not-read', { jobId, reason: String(error) });
    return undefined;
  }
};
