import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import * as z from 'zod';
import { EmbeddedAwsError } from '../contract.ts';

const credential = 'Credential=local/20200101/us-east-1/dynamodb/aws4_request';
const errorSchema = z.object({ __type: z.string(), message: z.string().default('') });

/**
 * A request whose body is read already. dynalite ends the process when a request breaks off while it is being read,
 * as happens when a function is ended in the middle of one, so it never gets to see the socket.
 */
export function bufferedRequest(
  original: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
  body: Buffer,
): Readable {
  const { method, url, headers } = original;
  const chunks = body.length === 0 ? [] : [body];
  return Object.assign(Readable.from(chunks, { objectMode: false }), { method, url, headers });
}

/** Calls dynalite as one of its own clients, without a socket. Rejects with `EmbeddedAwsError`, `code` the AWS error. */
export async function callDynalite(server: Server, operation: string, input: object): Promise<unknown> {
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
    'x-amz-date': '20200101T000000Z',
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=unchecked`,
  };
  const request = bufferedRequest({ method: 'POST', url: '/', headers }, Buffer.from(JSON.stringify(input)));
  const { statusCode, body } = await new Promise<{ statusCode: number; body: string }>((resolve) => {
    const response = {
      statusCode: 200,
      setHeader: () => undefined,
      end(text: string) {
        resolve({ statusCode: this.statusCode, body: text });
      },
    };
    server.emit('request', request, response as unknown as ServerResponse);
  });
  const answer: unknown = JSON.parse(body);
  if (statusCode === 200) return answer;
  const { __type: type, message } = errorSchema.parse(answer);
  throw new EmbeddedAwsError(type.split('#').at(-1) ?? type, `${operation}: ${message}`);
}
