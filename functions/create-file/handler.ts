import { ENV } from '../../shared-types/index.ts';
import { readEnvironment, required } from '../adapters/environment.ts';
import { createLogger } from '../adapters/logger.ts';
import { createUploadStore } from '../adapters/s3/upload-store.ts';
import { systemClock as clock, systemIds as ids } from '../adapters/system.ts';
import { lazily } from '../core/lazily.ts';
import { createCreateFileHandler } from './create-file.ts';

export const handler = lazily(() => {
  const env = readEnvironment({ [ENV.uploadBucketName]: required });
  const logger = createLogger({ functionName: 'create-file' });
  const uploads = createUploadStore({ bucketName: env.UPLOAD_BUCKET_NAME, clock });
  return createCreateFileHandler({ uploads, ids, logger });
});
