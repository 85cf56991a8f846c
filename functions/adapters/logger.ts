/** JSON lines on stdout, one stable code each. */
import { pino } from 'pino';
import type { Logger } from '../core/ports.ts';

/** `LOG_LEVEL` (`info` by default) is pino's. */
export const createLogger = ({ functionName }: { readonly functionName: string }): Logger => {
  const level = process.env['LOG_LEVEL'] ?? 'info';
  const lines = pino({ level, messageKey: 'code', base: { function: functionName } });
  return {
    info: (code, data = {}) => lines.info(data, code),
    warn: (code, data = {}) => lines.warn(data, code),
    error: (code, data = {}) => lines.error(data, code),
  };
};
