/** Hands a request on to the API behind a distribution, and its answer back. Nothing is cached. */
import { request as send, type Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

/** Of one connection only (RFC 9110, section 7.6.1), and the host, which is the origin's. */
const NOT_FORWARDED = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const forwarded = (headers: IncomingMessage['headers']): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] => entry[1] !== undefined && !NOT_FORWARDED.has(entry[0]),
    ),
  );

const viewersOf = ({ headers, socket }: IncomingMessage): string =>
  [headers['x-forwarded-for'], socket.remoteAddress].flat().filter(Boolean).join(', ');

/** The origin's answer. Rejects when there is none. */
const ask = (origin: string, incoming: IncomingMessage, agent: Agent): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const outgoing = send(`${origin}${incoming.url ?? '/'}`, {
      agent,
      method: incoming.method,
      headers: {
        ...forwarded(incoming.headers),
        via: '1.1 cloudfront',
        'x-forwarded-for': viewersOf(incoming),
      },
    });
    // An origin may answer before it has read everything, and hang up: then its answer is what counts.
    outgoing.on('response', resolve).on('error', reject);
    incoming.pipe(outgoing);
    incoming.once('close', () => {
      if (!incoming.complete) outgoing.destroy();
    });
  });

/** @param origin `http://host:port` and a path that each request gets in front */
export const serveFromApi = async (
  origin: string,
  incoming: IncomingMessage,
  response: ServerResponse,
  agent: Agent,
): Promise<void> => {
  let answer: IncomingMessage;
  try {
    answer = await ask(origin, incoming, agent);
  } catch (error) {
    const body = `CloudFront wasn't able to connect to the origin: ${String(error)}`;
    if (!response.destroyed) response.writeHead(502, { 'content-type': 'text/plain' }).end(body);
    return;
  }
  response.writeHead(answer.statusCode ?? 502, forwarded(answer.headers));
  await pipeline(answer, response);
};
