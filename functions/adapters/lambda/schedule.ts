/** EventBridge's own event of a schedule (docs.aws.amazon.com/eventbridge, "Scheduled Event"). */
export const isSchedule = (input: unknown): boolean =>
  typeof input === 'object' &&
  input !== null &&
  'detail-type' in input &&
  input['detail-type'] === 'Scheduled Event';
