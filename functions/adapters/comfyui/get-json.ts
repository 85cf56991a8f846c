/** GET of a document from a worker, bounded in size and time. */
import { readComfyUiJson } from '../../../shared-types/index.ts';
import { readText, send, WorkerHttpError, type HttpOptions } from './http-request.ts';

export const reasonOf = (error: unknown): string =>
  error instanceof WorkerHttpError ? error.message : String(error);

type Failed = { readonly kind: 'failed'; readonly message: string };

/** Everything that is not a 200, a redirect included, is `failed`. Never rejects. */
export const getText = async (
  url: string,
  maxBytes: number,
  options: HttpOptions,
): Promise<{ readonly kind: 'ok'; readonly text: string } | Failed> => {
  try {
    const response = await send(url, undefined, options);
    if (response.statusCode !== 200) {
      response.destroy();
      return { kind: 'failed', message: `the worker answered HTTP ${response.statusCode}` };
    }
    return { kind: 'ok', text: await readText(response, maxBytes, options) };
  } catch (error) {
    return { kind: 'failed', message: reasonOf(error) };
  }
};

/** A JSON document, as Python writes it. Everything that is not one is `failed`. Never rejects. */
export const getJson = async (
  url: string,
  maxBytes: number,
  options: HttpOptions,
): Promise<{ readonly kind: 'ok'; readonly value: unknown } | Failed> => {
  const answer = await getText(url, maxBytes, options);
  if (answer.kind === 'failed') return answer;
  const reading = readComfyUiJson(answer.text);
  return reading.kind === 'ok' ? reading : { kind: 'failed', message: 'the worker answered what is no JSON' };
};
