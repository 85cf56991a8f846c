/** Tests stand beside the source (`name.test.ts`) and, where they cross folders, in `test/`. */
export default {
  testEnvironment: 'node',
  testMatch: ['**/*.test.ts', '**/*.test.tsx'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/cdk\\.out/', '/\\.local/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/cdk.out/', '<rootDir>/.local/'],
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  transform: {
    '^.+\\.tsx?$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', tsx: true },
          target: 'es2022',
          transform: { react: { runtime: 'automatic' } },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  setupFiles: ['<rootDir>/test/support/forget-contexts.ts'],
  globalSetup: '<rootDir>/test/global-setup.ts',
  globalTeardown: '<rootDir>/test/global-teardown.ts',
  // Costs time where a test fails, and nowhere else: a machine may be busy.
  testTimeout: 90_000,
  maxWorkers: 2,
  testSequencer: '<rootDir>/test/slow-first.mjs',
  // Modules of test files that ran stay in a worker's memory, and make every collection slower: then a fresh one goes on.
  workerIdleMemoryLimit: '700MB',
  // A leaked handle is a bug to be found, not forced away: no forceExit here.
};
