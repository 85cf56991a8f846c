/** CDK entry: `npx cdk …` runs it, and so can anybody: it needs no account, no network and no CLI. */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { StageConfigError } from '../lib/stage-config.ts';
import { buildFunctions, functionsOutdir } from '../scripts/build-functions.ts';
import { buildPage, pageOutdir } from '../scripts/build-page.ts';

const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const help = `Usage: npx tsx bin/app.ts [-c key=value ...]

Bundles the functions and, for dev and prod, the page; synthesizes the stack of one stage and checks it with cdk-nag.

  -c stage=NAME          local (default), dev or prod; or STAGE
  -c jwtIssuer=URL       issuer of the users' tokens; or JWT_ISSUER; dev and prod need it
  -c jwtAudience=TEXT    their audience; or JWT_AUDIENCE; dev and prod need it
  -c corsOrigins=A,B     origins of pages that may call the API; or CORS_ORIGINS
  -c previews=true       pictures while sampling, off on dev and prod; or PREVIEWS
  -c providerSecretArn=ARN  secret with the providers' keys; or PROVIDER_SECRET_ARN
  -h, --help             print this help

Writes cdk.out, or the folder that CDK_OUTDIR names.`;

const contextOf = (pairs: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    pairs.map((pair) => {
      const [key = '', ...value] = pair.split('=');
      return [key, value.join('=')];
    }),
  );

const main = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      context: { type: 'string', short: 'c', multiple: true, default: [] },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(help);
  // The CDK takes two seconds to load, which a question about the command need not wait for.
  const { addPipeline, checkApp, createApp } = await import('../lib/pipeline-app.ts');
  const stageApp = createApp({
    outdir: process.env['CDK_OUTDIR'] ?? join(projectRoot, 'cdk.out'),
    context: contextOf(values.context),
    environment: process.env,
  });
  // Always, not only when missing: a template must never be deployed with yesterday's code.
  await buildFunctions();
  if (stageApp.config.page) await buildPageOrSay();
  addPipeline(stageApp, functionsOutdir, pageOutdir);
  checkApp(stageApp.app);
  stageApp.app.synth();
};

const buildPageOrSay = async (): Promise<void> => {
  try {
    await buildPage();
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new StageConfigError(
      'page.unbuilt',
      `the page can't be built: ${reason}; see npx vite build --config web/vite.config.ts`,
    );
  }
};

const isUsageError = (error: unknown): error is Error =>
  error instanceof StageConfigError ||
  (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));

/** A wrong command is the user's to put right and gets one line; anything else is ours and keeps its trace. */
main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(isUsageError(error) ? `cdk: ${error.message.split('\n')[0]}` : error);
  process.exitCode = 1;
});
