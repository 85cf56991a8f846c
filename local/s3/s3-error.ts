import type { ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';

/** An error in S3's own words; the SDK gets it under its code. */
export class S3Error extends Error {
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'S3Error';
    this.code = code;
    this.status = status;
    this.retryable = status >= 500;
  }
}

export const noSuchKey = () => new S3Error(404, 'NoSuchKey', 'The specified key does not exist.');
export const noSuchBucket = () => new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist');
export const noSuchUpload = () => new S3Error(404, 'NoSuchUpload', 'The specified upload does not exist.');
export const accessDenied = (message = 'Access Denied') => new S3Error(403, 'AccessDenied', message);
export const preconditionFailed = () =>
  new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
export const invalidArgument = (message: string) => new S3Error(400, 'InvalidArgument', message);
export const badDigest = (what: string) =>
  new S3Error(400, 'BadDigest', `The ${what} you specified did not match the calculated checksum.`);
export const incompleteBody = () =>
  new S3Error(
    400,
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length',
  );

/** Answers with the error; a HEAD has no body. Does nothing when an answer is under way. */
export function replyS3Error(response: ServerResponse, error: unknown, head: boolean): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // What was set for the object does not describe the error.
  for (const name of response.getHeaderNames()) {
    if (!name.startsWith('access-control-') && name !== 'vary' && name !== 'connection')
      response.removeHeader(name);
  }
  const known = error instanceof S3Error ? error : new S3Error(500, 'InternalError', String(error));
  const body = xmlDocument(
    'Error',
    xml('Code', known.code) + xml('Message', known.message) + xml('RequestId', randomUUID()),
  );
  response.writeHead(known.status, { 'content-type': 'application/xml' });
  response.end(head || known.status === 304 ? undefined : body);
}

/** One element with text; nothing for undefined. */
export function xml(name: string, value: string | number | boolean | undefined): string {
  return value === undefined ? '' : `<${name}>${escapeXml(String(value))}</${name}>`;
}

export function xmlDocument(name: string, inner: string): string {
  const space = name === 'Error' ? '' : ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name}${space}>${inner}</${name}>`;
}

export function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"\p{Cc}]/gu, (character) => `&#${character.charCodeAt(0)};`);
}

export function unescapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replaceAll(
    /&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
      if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
      return named[name ?? ''] ?? whole;
    },
  );
}

/** The texts of all elements with this name, in order. Enough for the small flat documents that S3 clients send. */
export function xmlTexts(document: string, name: string): string[] {
  return [...document.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))].map(
    (match) => match[1] ?? '',
  );
}
