import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';

export interface AwsError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Answers the error in the wire form that the SDK client of this service reads. */
export function answerError(response: ServerResponse, service: string, error: AwsError): void {
  const form = forms[service] ?? restJson;
  const { headers, body } = form(error);
  const id = randomUUID();
  response.writeHead(error.status, { 'x-amzn-RequestId': id, 'x-amz-request-id': id, ...headers }).end(body);
}

type WireForm = (error: AwsError) => { headers: Readonly<Record<string, string>>; body: string };

const awsJson = (
  version: string,
  namespace: string,
  extra: WireForm = () => ({ headers: {}, body: '' }),
): WireForm => {
  return (error) => ({
    headers: { 'content-type': `application/x-amz-json-${version}`, ...extra(error).headers },
    body: JSON.stringify({ __type: `${namespace}#${error.code}`, message: error.message }),
  });
};

const restJson: WireForm = ({ code, message }) => ({
  headers: { 'content-type': 'application/json', 'x-amzn-ErrorType': code },
  body: JSON.stringify({ message }),
});

const restXml: WireForm = ({ code, message }) => ({
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`,
});

const forms: Readonly<Record<string, WireForm>> = {
  dynamodb: awsJson('1.0', 'com.amazonaws.dynamodb.v20120810'),
  events: awsJson('1.1', 'com.amazonaws.events'),
  lambda: restJson,
  s3: restXml,
  sqs: awsJson('1.0', 'com.amazonaws.sqs', ({ code, status }) => {
    return { headers: { 'x-amzn-query-error': `${code};${status < 500 ? 'Sender' : 'Receiver'}` }, body: '' };
  }),
};

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** What each service says when it wants its caller to slow down. A throttled call was never carried out. */
export function throttling(service: string): AwsError {
  return throttles[service] ?? { status: 429, code: 'ThrottlingException', message: 'Rate exceeded' };
}

const throttles: Readonly<Record<string, AwsError>> = {
  dynamodb: {
    status: 400,
    code: 'ProvisionedThroughputExceededException',
    message: 'The level of configured provisioned throughput for the table was exceeded.',
  },
  events: { status: 400, code: 'ThrottlingException', message: 'Rate exceeded' },
  'execute-api': { status: 429, code: 'LimitExceededException', message: 'Rate exceeded' },
  lambda: { status: 429, code: 'TooManyRequestsException', message: 'Rate Exceeded.' },
  s3: { status: 503, code: 'SlowDown', message: 'Please reduce your request rate.' },
  sqs: {
    status: 400,
    code: 'RequestThrottled',
    message: 'The request was denied due to request throttling.',
  },
};

/** What each service says when it failed itself: the call may have been carried out or not. */
export function internalFailure(service: string): AwsError {
  const code = failures[service] ?? 'InternalFailure';
  return { status: 500, code, message: 'The request failed because of an internal error.' };
}

const failures: Readonly<Record<string, string>> = {
  dynamodb: 'InternalServerError',
  events: 'InternalException',
  lambda: 'ServiceException',
  s3: 'InternalError',
};
