import { EmbeddedAwsError } from '../contract.ts';

/** A pattern that EventBridge would refuse; the message names the rule, the field and the operator. */
export class EventPatternError extends EmbeddedAwsError {
  constructor(reason: string, path = '') {
    super(
      'InvalidEventPatternException',
      `Event pattern is not valid. Reason: ${reason}${path === '' ? '' : ` at "${path}"`}`,
    );
    this.name = 'EventPatternError';
  }

  /** The same failure with the rule named, for errors at start. */
  static ofRule(rule: string, cause: unknown): EmbeddedAwsError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new EmbeddedAwsError('InvalidEventPatternException', `Rule ${rule}: ${reason}`, { cause });
  }
}
