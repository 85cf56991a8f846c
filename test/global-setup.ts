import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** Names the folder of this run's cloud assembly; the first test that needs it builds it. */
export default async function setUp(): Promise<void> {
  process.env['TEST_ASSEMBLY_DIR'] = await mkdtemp(path.join(os.tmpdir(), 'comfyui-pipeline-test-'));
}
