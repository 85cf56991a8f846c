/** What lies in the media bucket. */
import { paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { Demo } from '../../demo/start-demo.ts';

/** Every key. Asks again where chaos fails a request. */
export const storedKeys = async ({ endpoints }: Pick<Demo, 'endpoints'>): Promise<string[]> => {
  const { awsEndpointUrl: endpoint, awsRegion: region, mediaBucketName: Bucket } = endpoints;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new S3Client({ endpoint, region, credentials, maxAttempts: 8 });
  const keys: string[] = [];
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
    keys.push(...Contents.map(({ Key }) => String(Key)));
  }
  client.destroy();
  return keys;
};
