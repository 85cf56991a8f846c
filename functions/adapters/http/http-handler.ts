/** The edge of the task API: payload format 2.0 in, JSON out, and never a stack trace. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Logger } from '../../core/ports.ts';

export interface HttpRequest {
  /** The `sub` of the verified token, or `local` on the stage without authorizer. */
  readonly userId: string;
  readonly body: string | undefined;
  readonly pathParameters: Readonly<Record<string, string | undefined>>;
}

export interface HttpReply {
  readonly status: number;
  /** JSON text. */
  readonly body: string;
}

export type HttpHandler = (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>;

/** Who calls when there is no authorizer; only the stage `local` has none. */
const LOCAL_USER = 'local';

const userOf = (event: APIGatewayProxyEventV2): string | undefined => {
  const context: unknown = event.requestContext;
  const authorizer = (context as { authorizer?: { jwt?: { claims?: Record<string, unknown> } } }).authorizer;
  if (authorizer === undefined || authorizer === null) return LOCAL_USER;
  const subject = authorizer.jwt?.claims?.['sub'];
  return typeof subject === 'string' && subject !== '' && subject.length <= 128 ? subject : undefined;
};

const bodyOf = (event: APIGatewayProxyEventV2): string | undefined =>
  event.body !== undefined && event.isBase64Encoded
    ? Buffer.from(event.body, 'base64').toString('utf8')
    : event.body;

const respond = ({ status, body }: HttpReply): APIGatewayProxyStructuredResultV2 => ({
  statusCode: status,
  headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
  body,
});

/** `{error: "…"}` of the task API. */
export const errorReply = (status: number, message: string): HttpReply => ({
  status,
  body: JSON.stringify({ error: message }),
});

/** Wraps one route: who calls, what was sent, and a one-line 500 for everything unforeseen. */
export const httpHandler =
  (logger: Logger, route: (request: HttpRequest) => Promise<HttpReply>): HttpHandler =>
  async (event) => {
    try {
      const userId = userOf(event);
      if (userId === undefined) return respond(errorReply(401, 'the token names no user (claim `sub`)'));
      const pathParameters = event.pathParameters ?? {};
      return respond(await route({ userId, body: bodyOf(event), pathParameters }));
    } catch (error) {
      logger.error('http.failed', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return respond(errorReply(500, 'something failed on our side; the request may be repeated'));
    }
  };
