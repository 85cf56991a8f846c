/** Workflows to begin with, as text: parsing would round the digits of their seeds. */
import animated from './examples/animated_v1.json?raw';
import imageBatch from './examples/image_batch_v1.json?raw';
import textToImage from './examples/text_to_image_v1.json?raw';
import upscale from './examples/upscale_v1.json?raw';

export interface ExampleWorkflow {
  readonly id: string;
  readonly label: string;
  /** API format. */
  readonly text: string;
}

export const exampleWorkflows: readonly [ExampleWorkflow, ...ExampleWorkflow[]] = [
  { id: 'text_to_image_v1', label: 'Text to image', text: textToImage },
  { id: 'image_batch_v1', label: 'Batch of four', text: imageBatch },
  { id: 'animated_v1', label: 'Animated WebP', text: animated },
  { id: 'upscale_v1', label: 'Invert and upscale (no model)', text: upscale },
];
