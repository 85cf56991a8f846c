/** The one place where what the core cannot reduce ends (a frame, an answer, a moment), so that the monitor does not. */
import type { Metrics } from './metrics.ts';

/** Runs `handle`; what it throws is counted and, once per `type`, logged. Undefined when it threw. */
export type FrameGuard = <T>(type: string, handle: () => T) => T | undefined;

interface WarnLog {
  warn(fields: object, message: string): void;
}

/** The name of an error is ours or the runtime's; its message may quote the frame. */
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error);

export const createFrameGuard = (metrics: Metrics, log: WarnLog): FrameGuard => {
  const told = new Set<string>();
  return (type, handle) => {
    try {
      return handle();
    } catch (error) {
      metrics.add('frames_quarantined_total', type);
      if (!told.has(type)) {
        told.add(type);
        log.warn(
          { code: 'monitor.frameQuarantined', type, error: nameOf(error) },
          'what came could not be handled; it was skipped, and further ones of its type are only counted',
        );
      }
      return undefined;
    }
  };
};
