import { App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { PipelineStack } from './pipeline-stack.ts';
import { loadStageConfig, type StageConfig, type StageInputs } from './stage-config.ts';

export interface AppProps {
  /** Where the cloud assembly is written. */
  readonly outdir: string;
  /** Context that the CDK CLI did not pass on; what it passed wins. */
  readonly context?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface StageApp {
  readonly app: App;
  readonly config: StageConfig;
}

/**
 * Feature flags live here and not in cdk.json, which only the CLI reads: with and without it the same
 * template must come out.
 */
const featureFlags = {
  '@aws-cdk/aws-iam:minimizePolicies': true,
  '@aws-cdk/aws-events:eventsTargetQueueSameAccount': true,
  '@aws-cdk/aws-events:requireEventBusPolicySid': true,
  '@aws-cdk/aws-s3:publicAccessBlockedByDefault': true,
} as const;

/**
 * An empty app and the stage it is for: asked first, because a refusal should not wait for a build.
 * @throws StageConfigError when the stage is unknown or lacks what a deployed one needs
 */
export const createApp = ({ outdir, context, environment }: AppProps): StageApp => {
  const app = new App({
    outdir,
    // A refusal leaves no assembly behind, not even an empty one.
    autoSynth: false,
    // The same bytes with and without the CLI: no usage metadata, no construct tree.
    analyticsReporting: false,
    treeMetadata: false,
    // Two seconds at every synthesis; the tests run the same check once.
    builtinCloudFormationValidation: false,
    context: { ...featureFlags, ...context },
  });
  return { app, config: loadStageConfig(inputsOf(app, environment ?? {})) };
};

/**
 * Adds the one stack of the stage. `assetRoot` holds `<function>/index.mjs` for every function, `pageRoot` the built
 * page, which a stage with `page` needs.
 * @throws StageConfigError when that is missing
 */
export const addPipeline = ({ app, config }: StageApp, assetRoot: string, pageRoot?: string): PipelineStack =>
  new PipelineStack(app, 'Pipeline', { config, assetRoot, ...(pageRoot !== undefined && { pageRoot }) });

/** Makes `app.synth()` fail on a cdk-nag finding that nobody acknowledged. */
export const checkApp = (app: App): void => {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
};

const inputsOf = (app: App, environment: Readonly<Record<string, string | undefined>>): StageInputs => {
  const input = (contextKey: string, variable: string): string | undefined => {
    const value: unknown = app.node.tryGetContext(contextKey);
    return typeof value === 'string' && value !== '' ? value : environment[variable];
  };
  return {
    stage: input('stage', 'STAGE'),
    jwtIssuer: input('jwtIssuer', 'JWT_ISSUER'),
    jwtAudience: input('jwtAudience', 'JWT_AUDIENCE'),
    corsOrigins: input('corsOrigins', 'CORS_ORIGINS'),
    providerSecretArn: input('providerSecretArn', 'PROVIDER_SECRET_ARN'),
    previews: input('previews', 'PREVIEWS'),
  };
};
