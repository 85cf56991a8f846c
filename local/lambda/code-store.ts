import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ResourceRequest } from '../contract.ts';
import { EmbeddedAwsError } from '../contract.ts';

/** Where the code of functions lies: asset directories of the assembly, or inline code written to a temporary one. */
export class CodeStore {
  readonly #assets: ReadonlyMap<string, string>;
  readonly #written: string[] = [];

  constructor(assets: ReadonlyMap<string, string>) {
    this.#assets = assets;
  }

  /** Throws `EmbeddedAwsError` when the code is neither an unpacked asset nor inline. */
  directoryOf(
    request: ResourceRequest,
    code: { S3Key?: string | undefined; ZipFile?: string | undefined },
  ): string {
    const where = `${request.stackName}/${request.logicalId} (${request.type})`;
    if (code.ZipFile !== undefined) return this.#write(code.ZipFile);
    const asset = this.#assets.get(code.S3Key ?? '');
    if (asset !== undefined && statSync(asset, { throwIfNoEntry: false })?.isDirectory()) return asset;
    const problem =
      asset === undefined ? `the assembly has no asset ${code.S3Key}` : `${asset} is no directory`;
    throw new EmbeddedAwsError(
      'UnsupportedProperty',
      `${where}: Code: ${problem}; use Code.fromAsset(directory)`,
    );
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#written.splice(0).map((directory) => rm(directory, { recursive: true, force: true })),
    );
  }

  #write(source: string): string {
    const directory = mkdtempSync(join(tmpdir(), 'embedded-lambda-'));
    this.#written.push(directory);
    writeFileSync(join(directory, 'index.js'), source);
    return directory;
  }
}
