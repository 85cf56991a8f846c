/** dynalite 4 ships no types; these cover what the embedded AWS uses. */
declare module 'dynalite' {
  import type { Server } from 'node:http';

  interface DynaliteOptions {
    /** Folder of the LevelDB store; in memory when missing. */
    readonly path?: string;
    /** Artificial delays of table states, in milliseconds. */
    readonly createTableMs?: number;
    readonly deleteTableMs?: number;
    readonly updateTableMs?: number;
  }

  /** The returned server closes its store when it closes, but only if it listened. */
  export default function dynalite(options?: DynaliteOptions): Server;
}
