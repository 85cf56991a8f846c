/**
 * The import rule: arrows go one way only. `npm run lint:imports` enforces it, and
 * `test/import-rule.test.ts` proves that it fires.
 */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: '(\\.test\\.tsx?$|/test-support/|\\.fake\\.ts$)' },
  to: {
    pathNot: [
      ...allowed,
      '^node:',
      '^(assert|buffer|child_process|crypto|dns|events|fs|http|https|net|os|path|perf_hooks|process|stream|timers|tls|url|util|worker_threads|zlib|string_decoder|async_hooks|module|v8|vm)(/|$)',
    ],
  },
});
const packages = (...names) => `(^|/)node_modules/(${names.join('|')})(/|$)`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^aws-lambda$' },
    },
    {
      name: 'core-is-pure',
      comment: 'Rules know no SDK, no socket, no file: those are adapters.',
      severity: 'error',
      from: { path: '^(functions|monitor)/core/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '(^|/)node_modules/(@aws-sdk|@smithy|ws|pino|commander|cockatiel)/|^(node:)?(fs|net|http|https|child_process|worker_threads|dns|tls|timers|process)(/|$)',
      },
    },
    {
      name: 'core-knows-no-adapter',
      severity: 'error',
      from: { path: '^(functions|monitor)/core/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(functions|monitor)/(?!core/)' },
    },
    only(
      'shared-types-stands-alone',
      '^shared-types/',
      ['^shared-types/', packages('zod')],
      'The contract depends on zod only.',
    ),
    only(
      'lib-knows-names-only',
      '^lib/',
      [
        '^lib/',
        '^shared-types/',
        // What a stage says of its pools is checked by the rules of those who read it: one rule, written once.
        '^functions/core/scaling/reached-providers\\.ts$',
        packages('aws-cdk-lib', 'constructs', 'cdk-nag', 'zod'),
      ],
      'Stacks take function entries by path, never by import.',
    ),
    only(
      'bin-builds-and-synthesizes',
      '^bin/',
      ['^bin/', '^lib/', '^scripts/build-(functions|page)\\.ts$', packages('aws-cdk-lib', 'cdk-nag')],
      'The CDK entry bundles the functions and the page and hands them to lib.',
    ),
    only(
      'examples-use-the-contract',
      '^examples/',
      ['^examples/', '^shared-types/', packages('aws-cdk-lib', 'constructs')],
      'A consumer knows the events and nothing else of the pipeline.',
    ),
    only(
      'functions-stay-in-functions',
      '^functions/',
      ['^functions/', '^shared-types/', '(^|/)node_modules/', '^aws-lambda$'],
      'functions and monitor share the event schema and nothing else.',
    ),
    {
      name: 'functions-do-not-import-each-other',
      severity: 'error',
      from: { path: '^functions/([^/]+)/', pathNot: '^functions/(core|adapters)/' },
      to: { path: '^functions/', pathNot: '^functions/(core|adapters|$1)/' },
    },
    only(
      'monitor-stays-in-monitor',
      '^monitor/',
      ['^monitor/', '^shared-types/', '(^|/)node_modules/'],
      'See functions.',
    ),
    only(
      'local-knows-no-domain',
      '^local/',
      ['^local/', '(^|/)node_modules/'],
      'The embedded AWS runs any template.',
    ),
    only(
      'web-stays-in-web',
      '^web/',
      [
        '^web/',
        '^shared-types/',
        packages('react', 'react-dom', 'vite', '@vitejs', '@types/react', '@types/react-dom', 'scheduler'),
      ],
      'The client runs in browsers.',
    ),
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    // TSX is beyond this parser; what web/ may import is oxlint's no-restricted-imports (.oxlintrc.json).
    exclude: { path: '(^(dist|cdk\\.out|coverage|\\.local)/|\\.tsx$)' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    builtInModules: { add: [] },
  },
};
