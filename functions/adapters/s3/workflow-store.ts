/** Submitted workflows: JSON text, one object a job. */
import { GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { WorkflowStore } from '../../core/ports.ts';

const keyOf = (jobId: string): string => `workflows/${jobId}.json`;

/** Endpoint, region and credentials come from the standard AWS variables. */
export const createWorkflowStore = ({
  bucketName: Bucket,
}: {
  readonly bucketName: string;
}): WorkflowStore => {
  const client = new S3Client({
    maxAttempts: 6,
    // A workflow of 4 MB takes a second or two; the functions behind HTTP have 29 in all.
    requestHandler: { connectionTimeout: 1000, requestTimeout: 8000, throwOnRequestTimeout: true },
  });
  return {
    put: async (jobId, workflowText) => {
      const Body = Buffer.from(workflowText);
      await client.send(
        new PutObjectCommand({ Bucket, Key: keyOf(jobId), Body, ContentType: 'application/json' }),
      );
    },
    get: async (jobId) => {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(jobId) }));
        return await Body?.transformToString('utf8');
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        throw error;
      }
    },
  };
};
