/** Public index of the React binding; beside it `generate-client.css`. */
export { GenerateClient, type GenerateClientProps } from './generate-client.tsx';
export {
  createGenerationStore,
  type GenerationStore,
  type GenerationStoreOptions,
  type KeyValueStorage,
} from './generation-store.ts';
export type {
  FailedTry,
  FailurePolicy,
  GenerationError,
  GenerationProgress,
  GenerationStatus,
  GenerationView,
  NextTry,
} from './generation-view.ts';
export { nodeCategory, NodeIcon, type NodeCategory } from './node-icon.tsx';
export { OutputView, type OutputViewProps } from './output-view.tsx';
export { retryWithSmallerSize, withSmallerSize } from './smaller-size.ts';
export { useGeneration, type Generation, type UseGenerationOptions } from './use-generation.ts';
