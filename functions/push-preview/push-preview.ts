import type { PreviewAnswer } from '../../shared-types/index.ts';
import { pushPreview, type PushPreviewDependencies } from '../core/push-preview.ts';

/** Invoked directly by monitors, which wait for the answer. */
export const createPushPreviewHandler =
  (dependencies: PushPreviewDependencies): ((input: unknown) => Promise<PreviewAnswer>) =>
  (input) =>
    pushPreview(input, dependencies);
