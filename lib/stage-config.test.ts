import { describe, expect, test } from '@jest/globals';
import {
  loadStageConfig,
  refuseBadPools,
  refuseOpenStage,
  StageConfigError,
  type StageInputs,
} from './stage-config.ts';

const nothing: StageInputs = {
  stage: undefined,
  jwtIssuer: undefined,
  jwtAudience: undefined,
  corsOrigins: undefined,
  providerSecretArn: undefined,
  previews: undefined,
};
const issued = { jwtIssuer: 'https://issuer.example.com/', jwtAudience: 'comfyui' };

const refusalOf = (inputs: Partial<StageInputs>): StageConfigError => {
  try {
    loadStageConfig({ ...nothing, ...inputs });
  } catch (error) {
    if (error instanceof StageConfigError) return error;
    throw error;
  }
  throw new Error('was not refused');
};

describe('the stage', () => {
  test('is local when nobody names one, and has no authentication', () => {
    const config = loadStageConfig(nothing);
    expect([config.stage, config.auth]).toEqual(['local', { kind: 'none' }]);
  });

  test('local is pinned to an account that does not exist', () => {
    expect(loadStageConfig(nothing).account).toBe('000000000000');
  });

  test.each(['toString', '__proto__', 'Prod', 'production', ' dev'])('"%s" is refused by name', (stage) => {
    const refusal = refusalOf({ stage, ...issued });
    expect(refusal.code).toBe('stage.unknown');
    expect(refusal.message).toContain('local, dev, prod');
  });
});

describe('previews', () => {
  const previewsOf = (inputs: Partial<StageInputs>) => loadStageConfig({ ...nothing, ...inputs }).previews;

  test('are on where nobody pays for them, and off on a deployed stage until one setting turns them on', () => {
    expect(previewsOf({})).toBe(true);
    expect(previewsOf({ previews: 'false' })).toBe(false);
    for (const stage of ['dev', 'prod']) {
      expect(previewsOf({ stage, ...issued })).toBe(false);
      expect(previewsOf({ stage, ...issued, previews: '' })).toBe(false);
      expect(previewsOf({ stage, ...issued, previews: 'true' })).toBe(true);
    }
  });

  test.each(['yes', 'TRUE', '1'])('"%s" is refused', (previews) => {
    expect(refusalOf({ previews }).code).toBe('stage.badPreviews');
  });
});

describe('the secret of the providers', () => {
  const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:comfyui/providers-AbCdEf';

  test('is none unless one is named', () => {
    expect(loadStageConfig(nothing).providerSecretArn).toBe('');
    expect(loadStageConfig({ ...nothing, providerSecretArn: arn }).providerSecretArn).toBe(arn);
  });

  test.each([
    'providers',
    `${arn}*`,
    'arn:aws:secretsmanager:eu-west-1:111122223333:secret:*',
    arn.replace('secretsmanager', 's3'),
    `${arn}\n`,
    '*',
  ])('is refused as %j', (providerSecretArn) => {
    expect(refusalOf({ providerSecretArn }).code).toBe('stage.badSecret');
  });
});

describe('the pools of workers', () => {
  const entry = { provider: 'novita', image: 'comfyui:1', products: ['4090'], maxPricePerHour: 0.5 };
  const refuse = (
    pool: Readonly<Record<string, unknown>>,
    workerProviders: readonly { provider: string }[],
  ) =>
    refuseBadPools({
      stage: 'dev',
      workerPools: [{ name: 'gpu', max: 2, providers: [entry], ...pool }],
      workerProviders,
    });

  test('are those that the functions can read, at providers that the reaper goes on reaching', () => {
    expect(() => refuse({}, [{ provider: 'novita' }])).not.toThrow();
  });

  test.each([
    [{}, [], `stage "dev": workerPools[0].providers[0]: add { provider: 'novita' } to workerProviders`],
    [{ max: -1 }, [{ provider: 'novita' }], 'stage "dev": workerPools[0].max: must be at least 0'],
    [{ max: -1, min: -1 }, [{ provider: 'novita' }], '(and 1 more)'],
    [
      { providers: [{ ...entry, maxPricePerHour: 20 }] },
      [{ provider: 'novita' }],
      'workerPools[0].budgetUsdPerDay: is needed',
    ],
    [{}, [{ provider: 'acme' }], 'workerProviders[0].provider: must be one of docker, ecs, novita, runpod'],
  ])('are refused in one line that names the field: %j %j', (pool, providers, line) => {
    expect(() => refuse(pool, providers)).toThrow(line);
    expect(() => refuse(pool, providers)).toThrow(expect.objectContaining({ code: 'stage.badPools' }));
  });
});

test('only the stage local may stand open, whoever wrote its configuration', () => {
  expect(() => refuseOpenStage({ stage: 'local', auth: { kind: 'none' } })).not.toThrow();
  for (const stage of ['dev', 'prod'] as const) {
    expect(() => refuseOpenStage({ stage, auth: { kind: 'none' } })).toThrow('never deployed');
  }
});

describe.each(['dev', 'prod'])('stage %s', (stage) => {
  test('takes issuer and audience', () => {
    expect(loadStageConfig({ ...nothing, stage, ...issued }).auth).toEqual({
      kind: 'jwt',
      issuer: issued.jwtIssuer,
      audience: 'comfyui',
    });
  });

  test.each([
    ['issuer', { jwtAudience: 'comfyui' }, '-c jwtIssuer='],
    ['audience', { jwtIssuer: issued.jwtIssuer }, '-c jwtAudience='],
    ['non-empty issuer', { ...issued, jwtIssuer: '' }, '-c jwtIssuer='],
  ])('is refused without an %s, in one line that says what to set', (_, inputs, hint) => {
    const refusal = refusalOf({ stage, ...inputs });
    expect(refusal.code).toBe('stage.noAuth');
    expect(refusal.message).toContain(hint);
    expect(refusal.message).not.toContain('\n');
  });

  test.each(['http://issuer.example.com', 'issuer.example.com', 'javascript:alert(1)'])(
    'refuses the issuer %s',
    (jwtIssuer) => {
      expect(refusalOf({ stage, ...issued, jwtIssuer }).code).toBe('stage.badIssuer');
    },
  );

  test('serves its media over https and refuses workers that functions without a VPC cannot reach', () => {
    const config = loadStageConfig({ ...nothing, stage, ...issued });
    expect(config.cdnScheme).toBe('https');
    expect(config.workerAddressPolicy).toBe('public');
    expect(config.outboundAddressPolicy).toBe('public');
  });

  test('never opens itself to every origin, whether by its own list or by an input', () => {
    expect(loadStageConfig({ ...nothing, stage, ...issued }).corsOrigins).not.toContain('*');
    expect(refusalOf({ stage, ...issued, corsOrigins: 'https://a.example,*' }).code).toBe('stage.badOrigin');
  });

  test('takes other origins from the deployment', () => {
    const corsOrigins = 'https://a.example, https://b.example:8443';
    expect(loadStageConfig({ ...nothing, stage, ...issued, corsOrigins }).corsOrigins).toEqual([
      'https://a.example',
      'https://b.example:8443',
    ]);
  });

  test.each(['https://a.example/', 'https://a.example/page', 'a.example', 'null'])(
    'refuses the origin %s, which no browser sends',
    (corsOrigins) => {
      expect(refusalOf({ stage, ...issued, corsOrigins }).code).toBe('stage.badOrigin');
    },
  );
});
