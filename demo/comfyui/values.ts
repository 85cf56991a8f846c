/** What flows along the links between nodes. */

/** RGB, 8 bits a channel, row by row. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** What a sampler was told, as far as the picture depends on it. */
export interface PictureRequest {
  readonly text: string;
  readonly negativeText: string;
  readonly seed: bigint;
  readonly steps: number;
  readonly cfg: number;
}

export interface ConditioningValue {
  readonly kind: 'conditioning';
  readonly text: string;
}

export interface LatentValue {
  readonly kind: 'latent';
  /** Size of the picture it decodes to, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly batchSize: number;
  readonly request?: PictureRequest;
  /** Pictures it was encoded from, and how much of them the sampler replaced (0 to 1). */
  readonly base?: readonly Pixels[];
  readonly denoise?: number;
}

export interface ImageValue {
  readonly kind: 'image';
  readonly frames: readonly Pixels[];
}

export interface AudioValue {
  readonly kind: 'audio';
  readonly sampleRate: number;
  readonly channels: number;
  readonly seconds: number;
}

export interface VideoValue {
  readonly kind: 'video';
  readonly frames: number;
  readonly fps: number;
}

/** Stands in for an output that must not be used: nodes fed with it don't run. */
export interface BlockedValue {
  readonly kind: 'blocked';
  /** null once it has been reported. */
  readonly message: string | null;
}

export function isBlocked(value: unknown): value is BlockedValue {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'blocked';
}
