/** One error of a refused prompt, as it stands in the 400 answer. */
import type { JsonObject } from './python-json.ts';

export interface ErrorItem {
  readonly type: string;
  readonly message: string;
  readonly details: string;
  readonly extra_info: JsonObject;
}
