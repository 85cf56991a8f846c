/** The OpenAPI document as a page that needs no script and no other host. */
import type { OpenApiDocument, Operation } from './openapi.ts';
import type { Json } from './schemas.ts';

/** Nothing is loaded, nothing runs, nobody frames it; only the style in the page itself counts. */
export const REFERENCE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** Text that means nothing to HTML, in an element as in a quoted attribute. */
export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (char) => entities[char] ?? '');

/** Escaped text in which `code` is shown as such. */
const prose = (text: string): string => escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
const paragraphs = (text: string): string =>
  text
    .split(/\n{2,}/)
    .map((part) => `<p>${prose(part)}</p>`)
    .join('');

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const nameIn = (schema: unknown): string => textOf(objectOf(schema)['$ref']).split('/').at(-1) ?? '';

/** A schema in a few words: `Task`, `list of Task`, `integer`, `"mine" or "all"`. */
const typeOf = (schema: unknown): string => {
  const { $ref, enum: values, const: only, anyOf, type, items, format } = objectOf(schema);
  if ($ref !== undefined) {
    const name = escapeHtml(nameIn(schema));
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if (Array.isArray(values))
    return values.map((value) => `<code>${escapeHtml(String(value))}</code>`).join(' ');
  if (only !== undefined) return `<code>${escapeHtml(JSON.stringify(only))}</code>`;
  if (Array.isArray(anyOf)) return anyOf.map(typeOf).join(' or ');
  if (type === 'array') return `list of ${items === undefined ? 'anything' : typeOf(items)}`;
  return escapeHtml([textOf(type) || 'anything', textOf(format)].filter(Boolean).join(', '));
};

const limits: Readonly<Record<string, string>> = {
  minimum: 'at least',
  maximum: 'at most',
  minLength: 'characters, at least',
  maxLength: 'characters, at most',
  minItems: 'entries, at least',
  maxItems: 'entries, at most',
  default: 'default',
};
const limitsOf = (schema: Json): string =>
  Object.entries(limits)
    .filter(([key]) => schema[key] !== undefined)
    .map(([key, words]) => `${words} ${JSON.stringify(schema[key])}`)
    .join('; ');

const row = (cells: readonly string[]): string =>
  `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
const table = (heads: readonly string[], rows: readonly string[]): string =>
  `<div class="wide"><table><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;

const fieldRow = (name: string, schema: Json, isRequired: boolean, text: string): string =>
  row([
    `<code>${escapeHtml(name)}</code>${isRequired ? ' <em>required</em>' : ''}`,
    typeOf(schema),
    [prose(text), escapeHtml(limitsOf(schema))].filter(Boolean).join('<br>'),
  ]);

const json = (value: unknown): string =>
  `<pre><code>${escapeHtml(JSON.stringify(value, null, 2))}</code></pre>`;

const contentOf = (content: unknown): string =>
  Object.entries(objectOf(content))
    .map(([type, media]) => {
      const { schema, example } = objectOf(media);
      const sample =
        example === undefined ? '' : `<details><summary>Example</summary>${json(example)}</details>`;
      return `<p><code>${escapeHtml(type)}</code>: ${typeOf(schema)}</p>${sample}`;
    })
    .join('');

const parametersOf = ({ parameters = [] }: Operation): string => {
  const rows = parameters.map(({ name, in: place, required, schema, description }) =>
    fieldRow(textOf(name), objectOf(schema), required === true, `${textOf(description)} (${textOf(place)})`),
  );
  return rows.length === 0 ? '' : `<h4>Parameters</h4>${table(['Name', 'Type', 'Meaning'], rows)}`;
};

const responseOf = ([status, response]: [string, Json], errors: Json): string => {
  const error = objectOf(errors[nameIn(response)]);
  const description = textOf(response['description']) || textOf(error['description']);
  return `<dt>${escapeHtml(status)}</dt><dd>${prose(description)}${contentOf(response['content'])}</dd>`;
};

const scopeOf = ({ security }: Operation): string => {
  const scopes = security.flatMap((each) => Object.values(each).flat()).map(String);
  return scopes.length === 0
    ? 'Open to everybody.'
    : `Scope ${scopes.map((scope) => `<code>${escapeHtml(scope)}</code>`).join(', ')}`;
};

const operationHtml = (method: string, path: string, operation: Operation, errors: Json): string => {
  const id = escapeHtml(operation.operationId);
  const body = operation.requestBody && `<h4>Body</h4>${contentOf(operation.requestBody['content'])}`;
  const responses = Object.entries(operation.responses).map((each) => responseOf(each, errors));
  return `<section id="${id}" class="operation">
<h3><span class="method ${escapeHtml(method)}">${escapeHtml(method.toUpperCase())}</span> <code>${escapeHtml(path)}</code></h3>
<p>${prose(operation.summary)} ${prose(operation.description ?? '')}</p>
<p class="scope">${scopeOf(operation)}</p>
${parametersOf(operation)}${body ?? ''}<h4>Answers</h4><dl>${responses.join('')}</dl>
</section>`;
};

const schemaHtml = ([name, schema]: [string, Json]): string => {
  const required = Array.isArray(schema['required']) ? (schema['required'] as readonly unknown[]) : [];
  const rows = Object.entries(objectOf(schema['properties'])).map(([field, value]) =>
    fieldRow(field, objectOf(value), required.includes(field), textOf(objectOf(value)['description'])),
  );
  return `<section id="schema-${escapeHtml(name)}"><h3>${escapeHtml(name)}</h3>${table(['Field', 'Type', 'Meaning'], rows)}</section>`;
};

const style = `:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{margin:0 auto;max-width:60rem;padding:1.5rem;font:16px/1.55 system-ui,sans-serif}
code,pre{font:14px/1.5 ui-monospace,monospace}pre{overflow:auto;padding:.75rem;background:var(--soft);border-radius:6px}
nav ul{columns:18rem;list-style:none;padding:0}section{border-top:1px solid var(--line);padding:.5rem 0 1rem}
.method{display:inline-block;min-width:4.5rem;font-weight:700}.scope{opacity:.8}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line)}
dt{font-weight:700}dd{margin:0 0 .5rem 1.5rem}dd p{margin:.25rem 0}`;

/** The whole page; every word of the document in it is escaped. */
export const referencePage = (document: OpenApiDocument): string => {
  const { responses, schemas } = document.components;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const base = textOf(document.servers[0]?.['url']);
  const links = operations.map(
    ({ path, method, operation }) =>
      `<li><a href="#${escapeHtml(operation.operationId)}"><code>${escapeHtml(`${method.toUpperCase()} ${path}`)}</code></a></li>`,
  );
  const title = escapeHtml(textOf(document.info['title']));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${style}</style></head>
<body><header><h1>${title}</h1>${paragraphs(textOf(document.info['description']))}
<p>Paths are below <code>${escapeHtml(base)}</code>. For programs: <a href="openapi.json">openapi.json</a>.</p></header>
<nav aria-label="Operations"><ul>${links.join('')}</ul></nav>
<main><h2>Operations</h2>${operations.map(({ path, method, operation }) => operationHtml(method, path, operation, responses)).join('\n')}
<h2>Bodies</h2>${Object.entries(schemas)
    .map(([name, schema]) => schemaHtml([name, objectOf(schema)]))
    .join('\n')}</main></body></html>
`;
};
