/** A CloudFront function: JavaScript of a few milliseconds that sees each request before anything else does. */
import { createContext, Script } from 'node:vm';
import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import type { ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';
import { parseProperties } from './distribution-config.ts';

/**
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html. What a function
 * answers is a response when it has a status, and otherwise the request that goes on.
 */
const headersSchema = z.record(z.string(), z.object({ value: z.string() })).default({});
const responseSchema = z.object({
  statusCode: z.number().int().min(100).max(599),
  statusDescription: z.string().optional(),
  headers: headersSchema,
  body: z
    .union([z.string(), z.object({ encoding: z.enum(['text', 'base64']), data: z.string() })])
    .default(''),
});
const requestSchema = z.object({ method: z.string(), uri: z.string(), headers: headersSchema });

export interface EdgeResponse {
  readonly status: number;
  readonly statusText: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Undefined: the request goes on as it came. */
export type EdgeFunction = (request: IncomingMessage) => EdgeResponse | undefined;

export const edgeFunctionSchema = z.strictObject({
  Name: z.string(),
  AutoPublish: z.literal(true, 'must be true: what is not published runs nowhere'),
  FunctionCode: z.string().max(10_240, 'is larger than 10 KB'),
  FunctionConfig: z.strictObject({
    Comment: z.string().optional(),
    Runtime: z.enum(['cloudfront-js-1.0', 'cloudfront-js-2.0']),
  }),
  Tags: z.unknown().optional(),
});

/** CloudFront allows a function less than a millisecond of processor time. */
const TIMEOUT_MS = 1000;

const eventOf = (request: IncomingMessage) => {
  const [uri = '/', query = ''] = (request.url ?? '/').split('?');
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    value === undefined || name === 'cookie' ? [] : [[name, { value: [value].flat().join(', ') }]],
  );
  return {
    version: '1.0',
    context: { eventType: 'viewer-request' },
    viewer: { ip: request.socket.remoteAddress },
    request: {
      method: request.method ?? 'GET',
      uri,
      querystring: Object.fromEntries(
        [...new URLSearchParams(query)].map(([name, value]) => [name, { value }]),
      ),
      headers: Object.fromEntries(headers) as Record<string, { value: string }>,
      cookies: {},
    },
  };
};

const responseOf = ({
  statusCode,
  statusDescription,
  headers,
  body,
}: z.infer<typeof responseSchema>): EdgeResponse => ({
  status: statusCode,
  statusText: statusDescription,
  headers: Object.fromEntries(Object.entries(headers).map(([name, { value }]) => [name, value])),
  body:
    typeof body === 'string'
      ? Buffer.from(body)
      : Buffer.from(body.data, body.encoding === 'base64' ? 'base64' : 'utf8'),
});

/**
 * Compiles the code of a function. A request that it changes is an error when it happens: that would have to reach
 * the origin changed, which is not done here.
 * @throws EmbeddedAwsError naming the resource, when its code is none or has no `handler`
 */
export const compileEdgeFunction = (resource: ResourceRequest): EdgeFunction => {
  const { FunctionCode: code } = parseProperties(edgeFunctionSchema, resource);
  const refused = (reason: string): EmbeddedAwsError =>
    new EmbeddedAwsError('UnsupportedProperty', `${resource.type} ${resource.logicalId}: ${reason}`);
  const context = createContext({ event: '' });
  try {
    new Script(code, { filename: resource.logicalId }).runInContext(context, { timeout: TIMEOUT_MS });
  } catch (error) {
    throw refused(`FunctionCode does not run: ${String(error)}`);
  }
  if (new Script('typeof handler').runInContext(context) !== 'function')
    throw refused('FunctionCode has no function handler');
  const call = new Script('JSON.stringify(handler(JSON.parse(event)))');
  return (request) => {
    const event = eventOf(request);
    context['event'] = JSON.stringify(event);
    const answer: unknown = JSON.parse(String(call.runInContext(context, { timeout: TIMEOUT_MS })));
    const response = responseSchema.safeParse(answer);
    if (response.success) return responseOf(response.data);
    const passed = requestSchema.parse(answer);
    const { method, uri, headers } = event.request;
    if (JSON.stringify(passed) !== JSON.stringify({ method, uri, headers }))
      throw refused('changes the request, which the embedded CloudFront does not support');
    return undefined;
  };
};
