/** As much of an S3 as the stores of this project use, for the AWS clients of this process. Checks no signature. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface S3Request {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface S3Server {
  readonly url: string;
  /** By path, bucket first, as it stands in the URL: `/bucket/key`. */
  readonly objects: Map<string, Buffer>;
  readonly requests: S3Request[];
  stop(): Promise<void>;
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

const listing = (objects: ReadonlyMap<string, Buffer>, path: string, prefix: string): string => {
  const bucket = `${path.replace(/\/$/, '')}/`;
  const contents = [...objects]
    .map(([key, body]) => [decodeURIComponent(key), body.length] as const)
    .filter(([key]) => key.startsWith(bucket + prefix))
    .map(
      ([key, size]) =>
        `<Contents><Key>${escaped(key.slice(bucket.length))}</Key><Size>${size}</Size></Contents>`,
    );
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>${contents.join('')}</ListBucketResult>`;
};

const xml = (response: ServerResponse, status: number, body: string): void =>
  void response.writeHead(status, { 'content-type': 'application/xml' }).end(body);

/** Points the standard AWS variables of this process at it. */
export const startS3Server = async (): Promise<S3Server> => {
  const objects = new Map<string, Buffer>();
  const requests: S3Request[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request;
    const body = await buffer(request);
    requests.push({ method, url, headers });
    const { pathname, searchParams } = new URL(url, 'http://s3');
    if (method === 'PUT') {
      if (headers['if-none-match'] === '*' && objects.has(pathname)) {
        return xml(response, 412, '<Error><Code>PreconditionFailed</Code></Error>');
      }
      objects.set(pathname, body);
      return void response.writeHead(200).end();
    }
    if (searchParams.has('list-type')) {
      return xml(response, 200, listing(objects, pathname, searchParams.get('prefix') ?? ''));
    }
    const object = objects.get(pathname);
    if (object === undefined) return xml(response, 404, '<Error><Code>NoSuchKey</Code></Error>');
    return void response.writeHead(200, { 'content-length': object.length }).end(object);
  };
  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_S3: url,
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
  return {
    url,
    objects,
    requests,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
