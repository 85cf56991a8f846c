/** What people call a node: the title they chose, else the name its class is known by. */

const MAX_NAME = 256;

/** Control and format characters: line breaks, bidirectional overrides, zero-width marks, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/** One printable line of at most `max` UTF-16 units, whatever a custom node or a user wrote. */
export const cleanText = (text: string, max = MAX_NAME): string =>
  text
    .slice(0, max * 4)
    .replace(UNPRINTABLE, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, max)
    .replace(/[\uD800-\uDBFF]$/, '');

/** Well-known core classes in the words that the product uses for them; ComfyUI's own name may differ. */
const CURATED: ReadonlyMap<string, string> = new Map([
  ['KSampler', 'K-Sampler'],
  ['KSamplerAdvanced', 'K-Sampler (Advanced)'],
  ['KSamplerSelect', 'K-Sampler Selector'],
  ['SamplerCustom', 'Custom Sampler'],
  ['SamplerCustomAdvanced', 'Custom Sampler (Advanced)'],
  ['VAEDecode', 'VAE Decoder'],
  ['VAEDecodeTiled', 'VAE Decoder (Tiled)'],
  ['VAEDecodeAudio', 'VAE Audio Decoder'],
  ['VAEEncode', 'VAE Encoder'],
  ['VAEEncodeTiled', 'VAE Encoder (Tiled)'],
  ['VAEEncodeForInpaint', 'VAE Encoder (for Inpainting)'],
  ['VAEEncodeAudio', 'VAE Audio Encoder'],
  ['VAELoader', 'VAE Loader'],
  ['CLIPTextEncode', 'CLIP Text Encoder'],
  ['CLIPTextEncodeSDXL', 'CLIP Text Encoder (SDXL)'],
  ['CLIPTextEncodeSDXLRefiner', 'CLIP Text Encoder (SDXL Refiner)'],
  ['CLIPTextEncodeFlux', 'CLIP Text Encoder (Flux)'],
  ['CLIPTextEncodeSD3', 'CLIP Text Encoder (SD3)'],
  ['CLIPLoader', 'CLIP Loader'],
  ['DualCLIPLoader', 'Dual CLIP Loader'],
  ['TripleCLIPLoader', 'Triple CLIP Loader'],
  ['CLIPVisionEncode', 'CLIP Vision Encoder'],
  ['CLIPVisionLoader', 'CLIP Vision Loader'],
  ['CheckpointLoader', 'Checkpoint Loader'],
  ['CheckpointLoaderSimple', 'Checkpoint Loader'],
  ['UNETLoader', 'Diffusion Model Loader'],
  ['LoraLoader', 'LoRA Loader'],
  ['LoraLoaderModelOnly', 'LoRA Loader (Model Only)'],
  ['ControlNetLoader', 'ControlNet Loader'],
  ['ControlNetApply', 'ControlNet'],
  ['ControlNetApplyAdvanced', 'ControlNet (Advanced)'],
  ['UpscaleModelLoader', 'Upscale Model Loader'],
  ['ImageUpscaleWithModel', 'Image Upscaler (Model)'],
  ['ImageScale', 'Image Scaler'],
  ['ImageScaleBy', 'Image Scaler (by Factor)'],
  ['LatentUpscale', 'Latent Upscaler'],
  ['LatentUpscaleBy', 'Latent Upscaler (by Factor)'],
  ['EmptyImage', 'Empty Image'],
  ['EmptyLatentImage', 'Empty Latent Image'],
  ['EmptySD3LatentImage', 'Empty Latent Image (SD3)'],
  ['SaveImage', 'Save Image'],
  ['PreviewImage', 'Preview Image'],
  ['LoadImage', 'Load Image'],
  ['SaveVideo', 'Save Video'],
  ['SaveAnimatedWEBP', 'Save Animated WebP'],
  ['SaveAnimatedPNG', 'Save Animated PNG'],
  ['SaveWEBM', 'Save WebM'],
]);

const capitalised = (word: string): string =>
  /^[a-z]+$/.test(word) ? `${word.charAt(0).toUpperCase()}${word.slice(1)}` : word;

/** `VHS_VideoCombine` → `VHS Video Combine`, `UNETLoader` → `UNET Loader`, `load3DModel` → `Load3D Model`. */
export const formatClassType = (classType: string): string =>
  cleanText(classType)
    .replace(/_+/g, ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .replace(/(\d)([A-Z][a-z])/g, '$1 $2')
    .split(' ')
    .filter((word) => word !== '')
    .map(capitalised)
    .join(' ')
    .slice(0, MAX_NAME);

export interface NodeNaming {
  readonly classType: string;
  /** `_meta.title` of the workflow; ComfyUI's editor writes the stock name here when the user chose none. */
  readonly title: string | undefined;
  /** `display_name` of the class in /object_info. */
  readonly displayName: string | undefined;
}

/** Chosen title, then curated name, then ComfyUI's display name, then the class name made readable. */
export const nodeName = ({ classType, title, displayName }: NodeNaming): string => {
  const stock = displayName === undefined ? '' : cleanText(displayName);
  const chosen = title === undefined ? '' : cleanText(title);
  if (chosen !== '' && chosen !== classType && chosen !== stock) return chosen;
  const curated = CURATED.get(classType);
  if (curated !== undefined) return curated;
  if (stock !== '' && stock !== classType) return stock;
  return formatClassType(classType);
};
