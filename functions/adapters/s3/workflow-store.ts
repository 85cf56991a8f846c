/** Submitted workflows: JSON text, one object a job, and the list of their files beside it. */
import {
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import * as z from 'zod';
import { PipelineError } from '../../core/errors.ts';
import type { JobFile, WorkflowStore } from '../../core/ports.ts';

/** Seconds that a URL of a workflow is good for. */
const URL_SECONDS = 900;

const keyOf = (jobId: string): string => `workflows/${jobId}.json`;
const filesKeyOf = (jobId: string): string => `workflows/${jobId}.files.json`;

const filesSchema = z.array(
  z.object({
    nodeId: z.string(),
    input: z.string(),
    source: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('file'), key: z.string(), filename: z.string() }),
      z.object({ kind: z.literal('url'), url: z.string() }),
    ]),
  }),
);

/** @throws PipelineError `workflow.files` when the object is not what was written */
const readFiles = (jobId: string, text: string): readonly JobFile[] => {
  try {
    return filesSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new PipelineError('workflow.files', `the files of job ${jobId} do not read`, {
      retryable: false,
      cause,
    });
  }
};

/** The key is taken, or being taken by another request this moment. */
const isTaken = (error: unknown): boolean =>
  error instanceof S3ServiceException && [409, 412].includes(error.$metadata.httpStatusCode ?? 0);

/**
 * Endpoint, region and credentials come from the standard AWS variables.
 * Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export const createWorkflowStore = ({
  bucketName: Bucket,
}: {
  readonly bucketName: string;
}): WorkflowStore => {
  const client = new S3Client({
    maxAttempts: 6,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // A workflow of 10 MB takes seconds; the functions behind HTTP have 29 in all.
    requestHandler: { connectionTimeout: 1000, requestTimeout: 8000, throwOnRequestTimeout: true },
  });

  const get = async (Key: string): Promise<string | undefined> => {
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return await Body?.transformToString('utf8');
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  };

  const putOnce = async (Key: string, content: string): Promise<'stored' | 'different'> => {
    const Body = Buffer.from(content);
    const command = new PutObjectCommand({
      Bucket,
      Key,
      Body,
      ContentType: 'application/json',
      IfNoneMatch: '*',
    });
    try {
      await client.send(command);
      return 'stored';
    } catch (error) {
      if (!isTaken(error)) throw error;
      const there = await get(Key);
      // Still being written: the request may be repeated.
      if (there === undefined) throw error;
      return there === content ? 'stored' : 'different';
    }
  };

  return {
    put: (jobId, workflowText) => putOnce(keyOf(jobId), workflowText),
    get: (jobId) => get(keyOf(jobId)),
    putFiles: (jobId, files) => putOnce(filesKeyOf(jobId), JSON.stringify(files)),
    getFiles: async (jobId) => {
      const text = await get(filesKeyOf(jobId));
      return text === undefined ? undefined : readFiles(jobId, text);
    },
    urlOf: (jobId) =>
      getSignedUrl(client, new GetObjectCommand({ Bucket, Key: keyOf(jobId) }), { expiresIn: URL_SECONDS }),
  };
};
