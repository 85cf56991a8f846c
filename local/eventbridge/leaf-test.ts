/** A scalar of an event, and a test of one. */
export type Leaf = string | number | boolean | null;
export type LeafTest = (value: Leaf) => boolean;
