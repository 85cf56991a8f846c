import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';

const items = z.object({ Items: z.array(z.string()).default([]) });
const override = { Override: z.unknown().optional() };
const flag = z.preprocess((value) => value === true || value === 'true', z.boolean());

const corsSchema = z.object({
  AccessControlAllowOrigins: items,
  AccessControlAllowHeaders: items,
  AccessControlAllowMethods: items,
  AccessControlAllowCredentials: flag,
  AccessControlExposeHeaders: items.optional(),
  AccessControlMaxAgeSec: z.coerce.number().optional(),
  OriginOverride: z.unknown().optional(),
});

const securitySchema = z.strictObject({
  ContentTypeOptions: z.object(override).optional(),
  FrameOptions: z.object({ FrameOption: z.string(), ...override }).optional(),
  ReferrerPolicy: z.object({ ReferrerPolicy: z.string(), ...override }).optional(),
  ContentSecurityPolicy: z.object({ ContentSecurityPolicy: z.string(), ...override }).optional(),
  StrictTransportSecurity: z
    .object({
      AccessControlMaxAgeSec: z.coerce.number(),
      IncludeSubdomains: flag.optional(),
      Preload: flag.optional(),
      ...override,
    })
    .optional(),
  XSSProtection: z
    .object({ Protection: flag, ModeBlock: flag.optional(), ReportUri: z.string().optional(), ...override })
    .optional(),
});

export const responseHeadersPolicySchema = z.strictObject({
  ResponseHeadersPolicyConfig: z.strictObject({
    Name: z.string(),
    Comment: z.string().optional(),
    CorsConfig: corsSchema.optional(),
    SecurityHeadersConfig: securitySchema.optional(),
    CustomHeadersConfig: z
      .object({ Items: z.array(z.object({ Header: z.string(), Value: z.string(), ...override })) })
      .optional(),
    RemoveHeadersConfig: z.object({ Items: z.array(z.object({ Header: z.string() })) }).optional(),
    ServerTimingHeadersConfig: z.unknown().optional(),
  }),
});
export type HeadersPolicy = z.infer<typeof responseHeadersPolicySchema>['ResponseHeadersPolicyConfig'];

function cors(methods: readonly string[]): z.infer<typeof corsSchema> {
  return {
    AccessControlAllowOrigins: { Items: ['*'] },
    AccessControlAllowHeaders: { Items: ['*'] },
    AccessControlAllowMethods: { Items: [...methods] },
    AccessControlAllowCredentials: false,
  };
}

const READING = ['GET', 'HEAD'];
const ALL = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];
const SECURITY: z.infer<typeof securitySchema> = {
  ContentTypeOptions: {},
  FrameOptions: { FrameOption: 'SAMEORIGIN' },
  ReferrerPolicy: { ReferrerPolicy: 'strict-origin-when-cross-origin' },
  StrictTransportSecurity: { AccessControlMaxAgeSec: 31_536_000 },
  XSSProtection: { Protection: true, ModeBlock: true },
};

/** The policies that AWS manages, by the ids that are the same in every account. */
export const MANAGED_POLICIES: Readonly<Record<string, HeadersPolicy>> = {
  '60669652-455b-4ae9-85a4-c4c02393f86c': { Name: 'Managed-SimpleCORS', CorsConfig: cors(READING) },
  '5cc3b908-e619-4b99-88e5-2cf7f45965bd': { Name: 'Managed-CORS-With-Preflight', CorsConfig: cors(ALL) },
  '67f7725c-6f97-4210-82d7-5512b31e9d03': {
    Name: 'Managed-SecurityHeadersPolicy',
    SecurityHeadersConfig: SECURITY,
  },
  'e61eb60c-9c35-4d20-a928-2b84e02af89c': {
    Name: 'Managed-CORS-and-SecurityHeadersPolicy',
    CorsConfig: cors(READING),
    SecurityHeadersConfig: SECURITY,
  },
  'eaab4381-ed33-4a86-88ca-d9558dc6cd63': {
    Name: 'Managed-CORS-with-preflight-and-SecurityHeadersPolicy',
    CorsConfig: cors(ALL),
    SecurityHeadersConfig: SECURITY,
  },
};

export function applyPolicy(policy: HeadersPolicy, request: IncomingMessage, response: ServerResponse): void {
  for (const { Header } of policy.RemoveHeadersConfig?.Items ?? []) response.removeHeader(Header);
  if (policy.CorsConfig) applyCors(policy.CorsConfig, request, response);
  if (policy.SecurityHeadersConfig) applySecurity(policy.SecurityHeadersConfig, response);
  for (const { Header, Value } of policy.CustomHeadersConfig?.Items ?? []) response.setHeader(Header, Value);
}

function applyCors(
  config: z.infer<typeof corsSchema>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  const allowed = config.AccessControlAllowOrigins.Items;
  if (!allowed.some((one) => originFits(one, origin))) return;
  response.setHeader('access-control-allow-origin', allowed.includes('*') ? '*' : origin);
  if (!allowed.includes('*')) response.setHeader('vary', 'Origin');
  if (config.AccessControlAllowCredentials) response.setHeader('access-control-allow-credentials', 'true');
  const exposed = config.AccessControlExposeHeaders?.Items ?? [];
  if (exposed.length > 0) response.setHeader('access-control-expose-headers', exposed.join(', '));
  if (request.method === 'OPTIONS') applyPreflight(config, request, response);
}

function applyPreflight(
  config: z.infer<typeof corsSchema>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const methods = config.AccessControlAllowMethods.Items;
  response.setHeader('access-control-allow-methods', (methods.includes('ALL') ? ALL : methods).join(', '));
  const headers = config.AccessControlAllowHeaders.Items;
  const asked = request.headers['access-control-request-headers'];
  const granted = headers.includes('*') ? asked : headers.join(', ');
  if (granted !== undefined && granted !== '') response.setHeader('access-control-allow-headers', granted);
  const { AccessControlMaxAgeSec: maxAge } = config;
  if (maxAge !== undefined) response.setHeader('access-control-max-age', String(maxAge));
}

function applySecurity(config: z.infer<typeof securitySchema>, response: ServerResponse): void {
  const {
    ContentTypeOptions,
    FrameOptions,
    ReferrerPolicy,
    ContentSecurityPolicy,
    StrictTransportSecurity: hsts,
    XSSProtection: xss,
  } = config;
  if (ContentTypeOptions) response.setHeader('x-content-type-options', 'nosniff');
  if (FrameOptions) response.setHeader('x-frame-options', FrameOptions.FrameOption);
  if (ReferrerPolicy) response.setHeader('referrer-policy', ReferrerPolicy.ReferrerPolicy);
  if (ContentSecurityPolicy)
    response.setHeader('content-security-policy', ContentSecurityPolicy.ContentSecurityPolicy);
  if (hsts) {
    const more = `${hsts.IncludeSubdomains === true ? '; includeSubDomains' : ''}${hsts.Preload === true ? '; preload' : ''}`;
    response.setHeader('strict-transport-security', `max-age=${hsts.AccessControlMaxAgeSec}${more}`);
  }
  if (xss)
    response.setHeader(
      'x-xss-protection',
      xss.Protection ? `1${xss.ModeBlock === true ? '; mode=block' : ''}` : '0',
    );
}

function originFits(allowed: string, origin: string): boolean {
  const star = allowed.indexOf('*');
  if (star < 0) return allowed === origin || allowed === origin.replace(/^https?:\/\//, '');
  return origin.startsWith(allowed.slice(0, star)) && origin.endsWith(allowed.slice(star + 1));
}
