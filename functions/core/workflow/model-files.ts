/** Which texts name model files, and when two spellings name the same one. */

const MODEL_FILE = /\.(?:safetensors|ckpt|pt|pth|bin|gguf|onnx|sft|engine)$/i;
const MAX_NAME = 512;

/** Whether ComfyUI would list it as a model: a relative path with the extension of one. No URL, no absolute path. */
export const isModelFile = (text: string): boolean =>
  text.length <= MAX_NAME &&
  MODEL_FILE.test(text) &&
  !/\p{Cc}|:\/\//u.test(text) &&
  !/^(?:[\\/]|[a-z]:)/i.test(text);

/** The same path as a pod on Linux and as one on Windows would list it. */
export const spellingsOf = (path: string): readonly string[] => [
  path,
  path.replaceAll('\\', '/'),
  path.replaceAll('/', '\\'),
];
