/** Whose turn it is to dispatch: wake-ups that come while somebody is at it are counted, not served one by one. */

/** The right to decide, until it is ended or its lease runs out. */
export interface HeldTurn {
  readonly holder: string;
  /** Wake-ups counted before it was taken: what they told of, a pass that begins now will see. */
  readonly wakeUps: number;
}

/**
 * One holder at a time saves work and no more: claims are conditional writes, so two at once, after a lease ran out,
 * start nothing twice.
 */
export interface DispatchTurns {
  /**
   * Counts a wake-up, and takes the turn if nobody has it. Undefined when another holder has it: that one will see
   * what this wake-up tells of. Whoever has the turn and takes it again has it for another `TURN_LEASE_MS`.
   */
  take(holder: string): Promise<HeldTurn | undefined>;
  /** Ends the turn unless a wake-up was counted since it was taken; false then, and it is still held. */
  end(turn: HeldTurn): Promise<boolean>;
  /** Ends the turn whatever was counted: its holder failed, and another may go on. */
  abandon(holder: string): Promise<void>;
}

/** A holder that died keeps the others out for so long. */
export const TURN_LEASE_MS = 15_000;
