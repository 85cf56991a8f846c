import { describe, expect, test } from '@jest/globals';
import { openApiDocument, type OpenApiDocument } from './openapi.ts';
import { escapeHtml, REFERENCE_POLICY, referencePage } from './reference-page.ts';

const document = openApiDocument();
const page = referencePage(document);

describe('the page', () => {
  test('shows every operation, every body, and where the document is', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { operationId }] of Object.entries(methods)) {
        expect(page).toContain(`<section id="${operationId}"`);
        expect(page).toContain(`${method.toUpperCase()} ${path}`);
      }
    }
    for (const name of Object.keys(document.components.schemas)) {
      expect(page).toContain(`<section id="schema-${name}">`);
    }
    expect(page).toContain('href="openapi.json"');
  });

  test('has no link to a place that it lacks', () => {
    const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(links.filter((id) => !ids.has(id))).toEqual([]);
    expect(links.length).toBeGreaterThan(50);
  });

  test('loads nothing and runs nothing', () => {
    expect(page).not.toMatch(/<script|<img|<link|<iframe|<form|<object|\bsrc=|@import|url\(|javascript:/i);
    expect(page).not.toMatch(/<[^>]+\son\w+=/i);
    const outside = [...page.matchAll(/<[^>]+href="([^"#]+)"/g)].map(([, target]) => target);
    expect(outside).toEqual(['openapi.json']);
    expect(REFERENCE_POLICY).toMatch(/^default-src 'none'; style-src 'unsafe-inline';/);
  });

  test('takes what the document says for text, wherever it stands', () => {
    const evil = "\"><script>alert(1)</script><a onclick='x'>`</code><img src=x>`";
    const operation = {
      operationId: evil,
      tags: [evil],
      summary: evil,
      description: evil,
      security: [{ bearer: [evil] }],
      parameters: [{ name: evil, in: evil, required: true, description: evil, schema: { type: evil } }],
      requestBody: { content: { [evil]: { schema: { $ref: `#/x/${evil}` }, example: evil } } },
      responses: { [evil]: { description: evil, content: { [evil]: { schema: { enum: [evil] } } } } },
    };
    const hostile: OpenApiDocument = {
      ...document,
      info: { title: evil, description: evil },
      servers: [{ url: evil }],
      paths: { [evil]: { [evil]: operation } },
      components: {
        ...document.components,
        schemas: {
          [evil]: {
            required: [evil],
            properties: { [evil]: { const: evil, default: evil, description: evil } },
          },
        },
      },
    };
    const shown = referencePage(hostile);
    expect(shown).not.toMatch(/<script|<img|<a onclick/);
    expect(shown).toContain('&lt;script&gt;');
  });
});

test('the five characters that mean something to HTML are escaped', () => {
  expect(escapeHtml(`<a href="x" title='y'>&amp;</a>`)).toBe(
    '&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;',
  );
});
