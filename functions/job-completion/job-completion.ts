/** Stores what a job made: early, as nodes announce files, and in full when ComfyUI has finished. */
import type { PipelineEvent } from '../../shared-types/index.ts';
import { eventHandler, type LambdaHandler } from '../adapters/lambda/event-handler.ts';
import { finishHeard, finishUnheard } from './claim.ts';
import type { CompletionDependencies } from './dependencies.ts';
import { onImagesGenerated } from './images-generated.ts';
import { onFinish } from './job-completed.ts';

type CompletionType = 'Images Generated' | 'Job Completed' | 'Task Finished Unheard';
const ACCEPTED: readonly CompletionType[] = ['Images Generated', 'Job Completed', 'Task Finished Unheard'];

const apply = (event: PipelineEvent<CompletionType>, dependencies: CompletionDependencies): Promise<void> => {
  switch (event.detailType) {
    case 'Images Generated':
      return onImagesGenerated(event.detail, dependencies);
    case 'Job Completed':
      return onFinish(finishHeard(event.detail), dependencies);
    case 'Task Finished Unheard':
      return onFinish(finishUnheard(event.detail), dependencies);
  }
};

export const createJobCompletionHandler = (dependencies: CompletionDependencies): LambdaHandler =>
  eventHandler({
    accepts: ACCEPTED,
    handle: (event: PipelineEvent<CompletionType>) => apply(event, dependencies),
    logger: dependencies.logger,
  });
