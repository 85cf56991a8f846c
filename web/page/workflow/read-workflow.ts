/** What a person hands the page as a workflow: a JSON file, or a picture that carries one. */
import { fieldsOf, parseJson, type Fields } from '../../client/guards.ts';
import { rawValue } from './edit-workflow.ts';
import { isPng, MAX_TEXT_BYTES, pngTexts } from './png-text.ts';

export type WorkflowReading =
  | { readonly kind: 'workflow'; readonly text: string }
  /** One line that says what it is instead, and what to do. */
  | { readonly kind: 'refused'; readonly message: string };

/** Of a picture; the page reads it whole. */
const MAX_FILE_BYTES = 100 * 1024 * 1024;

const HOW_TO_EXPORT =
  'In ComfyUI choose Workflow > Export (API) and drop that file (older versions: turn on “Dev mode” in the settings, then “Save (API Format)”).';

const refused = (message: string): WorkflowReading => ({ kind: 'refused', message });

/**
 * Python writes NaN and Infinity bare, which no JSON parser takes; ComfyUI puts them into `is_changed` of its own
 * metadata. They become null, and nothing inside a string is touched.
 */
export const withoutBareNumbers = (text: string): string =>
  text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/gs, (part) =>
    part.startsWith('"') ? part : 'null',
  );

const isUiFormat = (fields: Fields): boolean =>
  Array.isArray(fields['nodes']) && Array.isArray(fields['links']);

const isNode = (value: unknown): boolean => {
  const node = fieldsOf(value);
  return typeof node?.['class_type'] === 'string' && fieldsOf(node['inputs']) !== undefined;
};

/** The workflow as text; also out of the body of a request to ComfyUI, or to the task API. */
export const readWorkflowText = (source: string, wrapped = false): WorkflowReading => {
  if (source.length > MAX_TEXT_BYTES)
    return refused('This file is larger than 10 MB, the limit for a workflow.');
  const plain = source.replace(/^\uFEFF/, '');
  const text = parseJson(plain) === undefined ? withoutBareNumbers(plain) : plain;
  const fields = fieldsOf(parseJson(text));
  if (fields === undefined)
    return refused(`This is not a workflow: it is not a JSON object. ${HOW_TO_EXPORT}`);
  if (isUiFormat(fields)) {
    return refused(
      `This workflow is in ComfyUI's editor format, which cannot be run as it is. ${HOW_TO_EXPORT}`,
    );
  }
  for (const wrapper of wrapped ? [] : ['prompt', 'payload', 'workflow']) {
    const inner = fieldsOf(fields[wrapper]);
    if (inner !== undefined && !isNode(inner)) {
      const inside = rawValue(text, [wrapper]);
      if (inside !== undefined) return readWorkflowText(inside, true);
    }
  }
  const nodes = Object.entries(fields);
  const wrong = nodes.find(([, node]) => !isNode(node));
  if (nodes.length === 0) return refused(`This workflow has no nodes. ${HOW_TO_EXPORT}`);
  if (wrong === undefined) return { kind: 'workflow', text };
  return refused(
    `This is not a workflow in API format: “${wrong[0].slice(0, 60)}” is not a node. ${HOW_TO_EXPORT}`,
  );
};

const readPicture = async (bytes: Uint8Array<ArrayBuffer>): Promise<WorkflowReading> => {
  const texts = await pngTexts(bytes);
  const prompt = texts.get('prompt');
  if (prompt !== undefined) return readWorkflowText(prompt);
  if (texts.has('workflow')) {
    return refused(`This picture carries its workflow in ComfyUI's editor format only. ${HOW_TO_EXPORT}`);
  }
  return refused(
    'This picture carries no workflow: it was not saved by ComfyUI, or its metadata was removed on the way. Drop the original file.',
  );
};

/** Reads a dropped or chosen file. Never rejects. */
export const readWorkflowFile = async (file: Blob): Promise<WorkflowReading> => {
  if (file.size > MAX_FILE_BYTES) return refused('This file is larger than 100 MB.');
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    return isPng(bytes) ? await readPicture(bytes) : readWorkflowText(new TextDecoder().decode(bytes));
  } catch {
    return refused('This file could not be read. Choose it again.');
  }
};
