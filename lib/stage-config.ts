/** Everything in which stages differ. The stack reads nothing else: no env, no context, no stage name tests. */
import { stageProblems } from '../functions/core/scaling/reached-providers.ts';
import type { StageSettings } from './stage-settings.ts';
import { dev } from './stages/dev.ts';
import { local } from './stages/local.ts';
import { prod } from './stages/prod.ts';

export interface JwtAuth {
  readonly kind: 'jwt';
  /** OIDC issuer, an https URL; its keys are found below `/.well-known/openid-configuration`. */
  readonly issuer: string;
  /** Accepted `aud` (or `client_id`) of a token. */
  readonly audience: string;
}
/** `none` is refused everywhere but on the stage `local`. */
export type AuthConfig = { readonly kind: 'none' } | JwtAuth;

export type StageName = 'local' | 'dev' | 'prod';

export interface StageConfig extends StageSettings {
  readonly stage: StageName;
  readonly auth: AuthConfig;
  /** ARN of the Secrets Manager secret with the providers' keys; empty when no pool needs one. */
  readonly providerSecretArn: string;
}

/** What a deployment says about itself, from `-c` or the environment; still unchecked. */
export interface StageInputs {
  readonly stage: string | undefined;
  readonly jwtIssuer: string | undefined;
  readonly jwtAudience: string | undefined;
  /** Comma-separated; takes the place of the stage's own list. */
  readonly corsOrigins: string | undefined;
  readonly providerSecretArn: string | undefined;
  /** `true` or `false`; takes the place of the stage's own setting. */
  readonly previews: string | undefined;
}

/** The deployment asked for a stage that can't be built; the message is one line that says what to set. */
export class StageConfigError extends Error {
  readonly code: string;
  readonly retryable = false;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'StageConfigError';
    this.code = code;
  }
}

const settingsOf: Readonly<Record<StageName, StageSettings>> = { local, dev, prod };

const isStageName = (value: string): value is StageName => Object.hasOwn(settingsOf, value);

const stageName = (value: string | undefined): StageName => {
  const stage = value === undefined || value === '' ? 'local' : value;
  if (isStageName(stage)) return stage;
  throw new StageConfigError(
    'stage.unknown',
    `unknown stage "${stage}"; set -c stage= or STAGE to one of ${Object.keys(settingsOf).join(', ')}`,
  );
};

const isHttpsUrl = (value: string): boolean => URL.canParse(value) && new URL(value).protocol === 'https:';

const jwtAuth = (stage: StageName, { jwtIssuer, jwtAudience }: StageInputs): JwtAuth => {
  const missing = [
    ...(jwtIssuer ? [] : ['-c jwtIssuer= (or JWT_ISSUER)']),
    ...(jwtAudience ? [] : ['-c jwtAudience= (or JWT_AUDIENCE)']),
  ];
  if (!jwtIssuer || !jwtAudience) {
    throw new StageConfigError(
      'stage.noAuth',
      `stage "${stage}" is never deployed without authentication; set ${missing.join(' and ')}`,
    );
  }
  if (!isHttpsUrl(jwtIssuer)) {
    throw new StageConfigError('stage.badIssuer', `jwtIssuer "${jwtIssuer}" must be an https URL`);
  }
  return { kind: 'jwt', issuer: jwtIssuer, audience: jwtAudience };
};

const isOrigin = (value: string): boolean => URL.canParse(value) && new URL(value).origin === value;

const originsOf = (stage: StageName, text: string | undefined): readonly string[] => {
  if (!text) return settingsOf[stage].corsOrigins;
  const origins = text.split(',').map((origin) => origin.trim());
  const wrong = origins.find((origin) => !isOrigin(origin) && !(stage === 'local' && origin === '*'));
  if (wrong === undefined) return origins;
  throw new StageConfigError(
    'stage.badOrigin',
    `corsOrigins "${wrong}" must be an origin such as https://studio.example.com, without a path`,
  );
};

const secretArn = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+$/;

const secretArnOf = (text: string | undefined): string => {
  if (!text || secretArn.test(text)) return text ?? '';
  throw new StageConfigError(
    'stage.badSecret',
    `providerSecretArn "${text}" must be the whole ARN of a Secrets Manager secret, without a wildcard`,
  );
};

const previewsOf = (stage: StageName, text: string | undefined): boolean => {
  if (!text) return settingsOf[stage].previews;
  if (text === 'true' || text === 'false') return text === 'true';
  throw new StageConfigError('stage.badPreviews', `previews "${text}" must be true or false`);
};

/**
 * The last look before anything is made of a configuration, however it came about.
 * @throws StageConfigError for a stage without authentication that is not `local`
 */
export const refuseOpenStage = ({ stage, auth }: Pick<StageConfig, 'stage' | 'auth'>): void => {
  if (auth.kind !== 'none' || stage === 'local') return;
  throw new StageConfigError('stage.noAuth', `stage "${stage}" is never deployed without authentication`);
};

/**
 * The pools by the rules of the functions that read them: what is wrong shows here and not when they start.
 * @throws StageConfigError that names the first field, and says how many more there are
 */
export const refuseBadPools = ({
  stage,
  workerPools,
  workerProviders,
}: Pick<StageConfig, 'stage' | 'workerPools' | 'workerProviders'>): void => {
  const raw = { pools: JSON.stringify(workerPools), providers: JSON.stringify(workerProviders) };
  const [first, ...others] = stageProblems(raw);
  if (first === undefined) return;
  const told = first.replace('WORKER_POOLS', 'workerPools').replace('WORKER_PROVIDERS', 'workerProviders');
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new StageConfigError('stage.badPools', `stage "${stage}": ${told}${more}`);
};

/**
 * The checked configuration of a stage.
 * @throws StageConfigError for an unknown stage, for a deployed one without issuer and audience, and for pools that do
 * not read
 */
export const loadStageConfig = (inputs: StageInputs): StageConfig => {
  const stage = stageName(inputs.stage);
  refuseBadPools({ stage, ...settingsOf[stage] });
  return {
    ...settingsOf[stage],
    stage,
    auth: stage === 'local' ? { kind: 'none' } : jwtAuth(stage, inputs),
    corsOrigins: originsOf(stage, inputs.corsOrigins),
    providerSecretArn: secretArnOf(inputs.providerSecretArn),
    previews: previewsOf(stage, inputs.previews),
  };
};
