/**
 * Names of files in a workflow that reach beyond the task. Workers are shared: their input, output and temp folders
 * hold what other people's tasks read and made, and ComfyUI opens whatever a loader names.
 * Source: `annotated_filepath` and `get_save_image_path` in
 * https://github.com/comfyanonymous/ComfyUI/blob/master/folder_paths.py
 */
import { isLosslessNumber } from 'lossless-json';
import type { CatalogueInput } from './catalogue-class.ts';
import type { Catalogue } from './catalogue.ts';
import { isJsonObject, unwrapped } from './json-value.ts';
import { readLink } from './links.ts';
import { NodeErrorList } from './node-errors.ts';
import { quoted } from './one-line.ts';
import type { Workflow, WorkflowNode } from './workflow-node.ts';

/** Longer texts are no path on any system, but pictures in base64. */
const MAX_PATH = 4096;

const UPLOAD = 'upload the file with POST /api/v1/files and name it in inputs';

/** Drives, roots of either system, and `file:` URLs. */
const ABSOLUTE = /^\s*(?:[\\/]|[a-z]:|file:)/i;

/** Windows ignores dots and spaces at the end of a name. */
const isParent = (segment: string): boolean => /^\s*\.\.[.\s]*$/.test(segment);

const leavesFolder = (path: string): boolean => ABSOLUTE.test(path) || path.split(/[\\/]/).some(isParent);

/** Why a loader must not be given this name, to follow the input's name; undefined for a name within `input`. */
const readingProblem = (name: string): string | undefined => {
  if (/\[\s*(?:output|temp)\s*\]/i.test(name)) return 'names a file of the output or temp folder';
  // Without the folder that ComfyUI takes off before it opens the rest.
  if (leavesFolder(name.replace(/\s*\[input\]$/, ''))) return 'must be a name within the input folder';
  return /\p{Cc}/u.test(name) ? 'holds control characters' : undefined;
};

/** Every text in the value: some loaders take lists or objects of names. */
const textsIn = (value: unknown): readonly string[] => {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  return isJsonObject(value) && !isLosslessNumber(value) ? Object.values(value).flatMap(textsIn) : [];
};

const addReading = (
  errors: NodeErrorList,
  [id, { classType }]: readonly [string, WorkflowNode],
  input: string,
  texts: readonly string[],
): void => {
  const problem = texts.map(readingProblem).find((found) => found !== undefined);
  if (problem === undefined) return;
  errors.add(
    id,
    classType,
    'custom_validation_failed',
    () => `${quoted(input)} ${problem}; ${UPLOAD}`,
    input,
  );
};

/** `LoadImage`, `VHS_LoadVideo`, `Load Image Batch`; no `CheckpointLoader`. */
const isFileLoader = (classType: string): boolean => /(?:^|[^A-Za-z])Load(?!er|ed|ing)/.test(classType);

const checkLoader = (node: readonly [string, WorkflowNode], errors: NodeErrorList): void => {
  const [, { classType, inputs }] = node;
  if (!isFileLoader(classType) || /base64/i.test(classType)) return;
  for (const [input, value] of inputs) {
    if (readLink(value) !== undefined) continue;
    addReading(
      errors,
      node,
      input,
      textsIn(value).filter(({ length }) => length <= MAX_PATH),
    );
  }
};

const checkPrefix = (
  [id, { classType, inputs }]: readonly [string, WorkflowNode],
  errors: NodeErrorList,
): void => {
  const prefix = unwrapped(inputs.get('filename_prefix'));
  if (typeof prefix !== 'string' || (!leavesFolder(prefix) && !prefix.includes('\0'))) return;
  const message = '"filename_prefix" must stay within the output folder: a relative path without ".."';
  errors.add(id, classType, 'custom_validation_failed', () => message, 'filename_prefix');
};

/**
 * What can be told without any catalogue: files that classes named `Load…` are to read, and prefixes of files to
 * write, for which ComfyUI would fail the run when it is half done.
 */
export const checkFileNames = (workflow: Workflow): NodeErrorList => {
  const errors = new NodeErrorList();
  for (const node of workflow) {
    checkLoader(node, errors);
    checkPrefix(node, errors);
  }
  return errors;
};

const uploadInputs = (
  catalogues: readonly Catalogue[],
  { classType, inputs }: WorkflowNode,
): readonly string[] => {
  const isUpload = (declared: Readonly<Record<string, CatalogueInput>>, input: string): boolean =>
    Object.hasOwn(declared, input) && declared[input]?.upload === true;
  return [...inputs.keys()].filter((input) =>
    catalogues.some(({ classes }) => {
      const entry = Object.hasOwn(classes, classType) ? classes[classType] : undefined;
      return entry !== undefined && (isUpload(entry.required, input) || isUpload(entry.optional, input));
    }),
  );
};

/** What the inputs for uploads name, of any of these pods. A link there could bring any name at all. */
export const checkUploadNames = (workflow: Workflow, catalogues: readonly Catalogue[]): NodeErrorList => {
  const errors = new NodeErrorList();
  for (const node of workflow) {
    const [id, { classType, inputs }] = node;
    for (const input of uploadInputs(catalogues, node[1])) {
      const value = inputs.get(input);
      if (readLink(value) === undefined) addReading(errors, node, input, textsIn(value));
      else {
        const describe = (): string => `${quoted(input)} takes no link, but the name of a file; ${UPLOAD}`;
        errors.add(id, classType, 'custom_validation_failed', describe, input);
      }
    }
  }
  return errors;
};
