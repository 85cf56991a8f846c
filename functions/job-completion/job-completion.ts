/** Stores what a job made: early, as nodes announce files, and in full when ComfyUI has finished. */
import type { PipelineEvent } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import type { CompletionDependencies } from './dependencies.ts';
import { onImagesGenerated } from './images-generated.ts';
import { onJobCompleted } from './job-completed.ts';

type CompletionType = 'Images Generated' | 'Job Completed';
const ACCEPTED: readonly CompletionType[] = ['Images Generated', 'Job Completed'];

export const createJobCompletionHandler = (dependencies: CompletionDependencies): LambdaHandler =>
  eventHandler({
    accepts: ACCEPTED,
    handle: (event: PipelineEvent<CompletionType>) =>
      event.detailType === 'Job Completed'
        ? onJobCompleted(event.detail, dependencies)
        : onImagesGenerated(event.detail, dependencies),
    logger: dependencies.logger,
  });
