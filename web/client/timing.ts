/** Every wait of the client, in milliseconds. */
export interface ClientTiming {
  /** First reconnect waits a random time up to this, each further one up to twice as long. */
  readonly reconnectBaseMs: number;
  readonly reconnectCapMs: number;
  /** A handshake that takes longer is given up. */
  readonly connectTimeoutMs: number;
  /** An unfinished job that is silent for so long is asked for its snapshot: its last push may be lost. */
  readonly staleAfterMs: number;
  /** A question without any answer for so long means that the socket is dead. */
  readonly answerTimeoutMs: number;
  /** An open socket over which nothing came for so long is asked for a sign: API Gateway closes it after 10 minutes. */
  readonly pingAfterMs: number;
  /**
   * An open socket is replaced, without a gap, when it is so old, or up to a tenth younger: API Gateway ends it after
   * 2 hours (docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
   */
  readonly renewAfterMs: number;
  /** Without a socket for so long, the task API is polled instead. */
  readonly pollAfterMs: number;
  readonly pollIntervalMs: number;
  /** With nothing left to follow, the socket stays open for so long. */
  readonly idleCloseMs: number;
  /** A job that nobody follows is remembered for so long: React's StrictMode leaves and comes back at once. */
  readonly forgetAfterMs: number;
  readonly requestTimeoutMs: number;
  /** How often the waits above are looked at. */
  readonly tickMs: number;
}

export const DEFAULT_TIMING: ClientTiming = {
  reconnectBaseMs: 250,
  reconnectCapMs: 10_000,
  connectTimeoutMs: 10_000,
  staleAfterMs: 30_000,
  answerTimeoutMs: 10_000,
  pingAfterMs: 300_000,
  renewAfterMs: 6_600_000,
  pollAfterMs: 5_000,
  pollIntervalMs: 3_000,
  idleCloseMs: 60_000,
  forgetAfterMs: 10_000,
  requestTimeoutMs: 30_000,
  tickMs: 1_000,
};

/** Full jitter: a random wait up to the doubled base, so that a restarted server is not met by everyone at once. */
export const reconnectDelay = (
  failures: number,
  { reconnectBaseMs, reconnectCapMs }: Pick<ClientTiming, 'reconnectBaseMs' | 'reconnectCapMs'>,
  random: () => number,
): number => random() * Math.min(reconnectCapMs, reconnectBaseMs * 2 ** Math.min(failures, 30));
