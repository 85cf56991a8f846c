/** A value of a choice. */
export type CatalogueOption = string | number | boolean | null;

export interface CatalogueInput {
  /** ComfyUI's word for the type: `INT`, `MODEL`, `IMAGE,MASK`; `COMBO` for choices, `*` when unknown. */
  readonly type: string;
  /** The values of a choice. Absent when they change too often to hold a workflow against them. */
  readonly options?: readonly CatalogueOption[];
  /** Least and greatest value, in the digits that ComfyUI wrote: a double would round 18446744073709551615. */
  readonly min?: string;
  readonly max?: string;
  readonly hasDefault?: true;
  /** A file that people upload: the list is another one after every upload. */
  readonly upload?: true;
  /** Which inputs and values there are depends on the workflow or on a server: nothing can be checked here. */
  readonly dynamic?: true;
}

/** Read its records with `Object.hasOwn`: an input may be called `__proto__`. */
export interface CatalogueClass {
  readonly outputNode: boolean;
  readonly required: Readonly<Record<string, CatalogueInput>>;
  readonly optional: Readonly<Record<string, CatalogueInput>>;
  /** Types by slot; null when ComfyUI did not say. */
  readonly outputs: readonly string[] | null;
}
