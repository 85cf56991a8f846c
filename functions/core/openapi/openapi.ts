/** The OpenAPI 3.1 document of the task API, made of its table of routes (https://spec.openapis.org/oas/v3.1.0). */
import type * as z from 'zod';
import { API_PREFIX, apiRoutes, type ApiRoute } from '../../../shared-types/api-routes.ts';
import { taskApiExamples } from '../../../shared-types/task-api-examples.ts';
import { errorBodySchema, storedWorkflowIdSchema } from '../../../shared-types/task-api.ts';
import {
  componentOf,
  componentSchemas,
  referenceTo,
  schemaOf,
  type Direction,
  type Json,
} from './schemas.ts';

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Json[];
  readonly parameters?: readonly Json[];
  readonly requestBody?: Json;
  readonly responses: Readonly<Record<string, Json>>;
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: Json;
  readonly servers: readonly Json[];
  readonly tags: readonly Json[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<'schemas' | 'responses' | 'securitySchemes', Json>>;
}

const routes: readonly [string, ApiRoute][] = Object.entries(apiRoutes);
/** By component, first letter in lower case. */
const examples: Json = {
  worker: taskApiExamples.workerList.workers[0],
  storedWorkflowText: { ...taskApiExamples.storedWorkflow, ...taskApiExamples.putWorkflow },
  timeline: {
    entries: [
      {
        at: taskApiExamples.task.started_at,
        attempt: 1,
        what: 'node_executing',
        message: 'K-Sampler runs',
        worker_id: taskApiExamples.task.worker_id,
        node_id: '3',
        node_name: 'K-Sampler',
        node_type: 'KSampler',
        duration_ms: null,
      },
    ],
    truncated: false,
  },
  ...taskApiExamples,
};

const errorTexts: Readonly<Record<number, string>> = {
  400: 'The request is wrong; the error says what to change.',
  401: 'There are no credentials, or none that count. Where credentials are missing altogether, API Gateway answers with `message` in place of `error`.',
  403: 'The credentials lack the scope that the error names.',
  404: 'There is no such thing, or it is not yours.',
  409: 'What it is now does not allow this.',
  413: 'It is too large.',
  422: 'It was understood and cannot be done.',
  429: 'Too much at once; try again after the seconds of `Retry-After`.',
  500: 'Something failed on our side; the request may be repeated.',
  503: 'Not now; the request may be repeated.',
};
const successTexts: Readonly<Record<number, string>> = {
  200: 'Done.',
  201: 'Made.',
  202: 'Under way.',
  204: 'Done; there is no body.',
};

/** The example that bears the name of a component: `Task` is `taskApiExamples.task`. */
const exampleFor = (component: string): Json => {
  const name = `${component.charAt(0).toLowerCase()}${component.slice(1)}`;
  return Object.hasOwn(examples, name) ? { example: examples[name] } : {};
};

const jsonOf = (schema: z.ZodType): Json => ({
  'application/json': { schema: referenceTo(schema), ...exampleFor(componentOf(schema)) },
});

/** Bodies that no schema describes: the document itself, and its page. */
const plainContent = (path: string): Json =>
  path.endsWith('.json')
    ? { 'application/json': { schema: { type: 'object' } } }
    : { 'text/html': { schema: { type: 'string' } } };

const successOf = (status: number, schema: z.ZodType | undefined, path: string): Json => {
  const description = successTexts[status] ?? 'Done.';
  if (schema !== undefined) return { description, content: jsonOf(schema) };
  return status === 204 ? { description } : { description, content: plainContent(path) };
};

const errorsOf = ({ scope, errors }: ApiRoute): readonly number[] =>
  [...(scope === 'none' ? [] : [401, 403]), ...errors, 500].sort((a, b) => a - b);

const responsesOf = (route: ApiRoute): Operation['responses'] =>
  Object.fromEntries([
    ...Object.entries(route.responses).map(([status, schema]): [string, Json] => [
      status,
      successOf(Number(status), schema, route.path),
    ]),
    ...errorsOf(route).map((status): [string, Json] => [
      String(status),
      { $ref: `#/components/responses/Error${status}` },
    ]),
  ]);

const idSchema = (path: string): Json => {
  if (path.startsWith('/tasks/')) return { type: 'string', format: 'uuid' };
  return path.startsWith('/workflows/') ? schemaOf(storedWorkflowIdSchema, 'input') : { type: 'string' };
};

const queryParameters = (query: z.ZodObject): readonly Json[] => {
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema,
  }));
};

const parametersOf = ({ path, query, headers = {} }: ApiRoute): readonly Json[] => [
  ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: idSchema(path),
  })),
  ...(query === undefined ? [] : queryParameters(query)),
  ...Object.entries(headers).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  })),
];

/** The first sentence, and what follows it. */
const wordsOf = (text: string): Pick<Operation, 'summary' | 'description'> => {
  const [, summary = text, description = ''] = /^(.+?\.)\s+(.*)$/s.exec(text) ?? [];
  return { summary, ...(description !== '' && { description }) };
};

const tagOf = ({ path }: ApiRoute): string => path.split('/')[1] ?? '';

const operationOf = (operationId: string, route: ApiRoute): Operation => {
  const parameters = parametersOf(route);
  return {
    operationId,
    tags: [tagOf(route)],
    ...wordsOf(route.summary),
    security: route.scope === 'none' ? [] : [{ bearer: [route.scope] }],
    ...(parameters.length > 0 && { parameters }),
    ...(route.request && { requestBody: { required: true, content: jsonOf(route.request) } }),
    responses: responsesOf(route),
  };
};

const pathsOf = (): OpenApiDocument['paths'] => {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const [id, route] of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(id, route) };
  }
  return paths;
};

const bodiesOf = (io: Direction): readonly string[] =>
  routes
    .flatMap(([, route]) =>
      io === 'input' ? [route.request] : [...Object.values(route.responses), errorBodySchema],
    )
    .filter((schema) => schema !== undefined)
    .map(componentOf);

const errorResponses = (): Json =>
  Object.fromEntries(
    Object.entries(errorTexts).map(([status, description]) => [
      `Error${status}`,
      {
        description,
        content: { 'application/json': { schema: referenceTo(errorBodySchema), example: examples['error'] } },
      },
    ]),
  );

const DESCRIPTION = `Runs ComfyUI workflows on a fleet of workers: submit one, follow it, fetch what it made.

Send \`Authorization: Bearer\` with a token of the issuer or an API key (\`POST /keys\`). To follow tasks live, get a ticket (\`POST /tickets\`), open \`web_socket_url?ticket=…\` with it and send \`{"action":"subscribe","jobId":"<task id>"}\`.

Errors are \`{"error":"…"}\`, one line that says what to do. Clients should ignore fields they do not know.`;

/** The same bytes each time. Addresses in it are relative to where it is read from. */
export const openApiDocument = (): OpenApiDocument => ({
  openapi: '3.1.0',
  info: {
    title: 'ComfyUI task API',
    version: '1',
    description: DESCRIPTION,
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: API_PREFIX, description: 'The API that serves this document.' }],
  tags: [...new Set(routes.map(([, route]) => tagOf(route)))].map((name) => ({ name })),
  paths: pathsOf(),
  components: {
    schemas: componentSchemas({ input: bodiesOf('input'), output: bodiesOf('output') }),
    responses: errorResponses(),
    securitySchemes: {
      bearer: {
        type: 'http',
        scheme: 'bearer',
        description: 'A token of the issuer (OIDC), or an API key, which begins with `cpk_`.',
      },
    },
  },
});
