import { createHash } from 'node:crypto';
import type { AsyncApi } from './async-api.js';
import { html, type Html } from './html.js';
import type { OpenApi, Operation } from './open-api.js';
import { schemaView, type Schema } from './schema.js';

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; color: #1b1f24; background: #fff }
h2 { border-bottom: 1px solid #d0d7de; margin-top: 2.5rem } h3 code { font-size: 1rem }
code { font: 13px/1.4 ui-monospace, monospace } summary { cursor: pointer }
dl { margin: .25rem 0 .25rem 1rem } dt { margin-top: .25rem } dd { margin-left: 1rem; color: #57606a }
section { margin: 1rem 0; padding: .25rem 1rem; border-left: 3px solid #d0d7de }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 } dd { color: #9198a1 } a { color: #4493f8 } }
`;

/** The Content-Security-Policy of the page. It allows no script, no requests, and only this style sheet. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** The reference of both documents as one HTML page without scripts. */
export function pageOf(openApi: OpenApi, asyncApi: AsyncApi): string {
  const { title, version } = openApi.info;
  const head = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} ${version}</title>
<style>`.text;
  const body = html`</style>
</head>
<body>
<h1>${title} ${version}</h1>
<p>${openApi.info.description ?? ''}</p>
<p>For machines: <a href="openapi.json">openapi.json</a> (HTTP) and <a href="asyncapi.json">asyncapi.json</a> (Kafka).</p>
<h2>HTTP</h2>
${operationsOf(openApi).map(operationView)}
<h2>Kafka</h2>
${Object.values(asyncApi.channels).map((channel) => channelView(channel, asyncApi))}
<h2>Schemas</h2>
${schemasView({ ...asyncApi.components.schemas, ...openApi.components.schemas })}
</body>
</html>
`.text;
  // The style is inserted unchanged, because the policy names its hash.
  return head + STYLE + body;
}

interface Route {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

function operationsOf({ paths }: OpenApi): readonly Route[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ method: method.toUpperCase(), path, operation }];
    }),
  );
}

function operationView({ method, path, operation }: Route): Html {
  const { summary, description, parameters = [], requestBody, responses } = operation;
  const named = parameters.map(
    (parameter) =>
      html`<dt><code>${parameter.name}${parameter.required === true ? '' : '?'}</code> (${parameter.in})</dt>
        <dd>${parameter.description ?? ''}</dd>`,
  );
  const body = contentOf(requestBody?.content);
  return html`<section id="${operation.operationId}">
    <h3><code>${method} ${path}</code></h3>
    <p>${summary ?? ''}</p>
    <p>${description ?? ''}</p>
    ${
      named.length === 0
        ? ''
        : html`<details>
            <summary>parameters</summary>
            <dl>${named}</dl>
          </details>`
    }
    ${
      body === undefined
        ? ''
        : html`<details>
            <summary>request body</summary>
            ${schemaView(body)}
          </details>`
    }
    ${Object.entries(responses).map(([status, answer]) => answerView(status, answer))}
  </section> `;
}

function answerView(status: string, { description, content }: Operation['responses'][string]): Html {
  const schema = contentOf(content);
  if (schema === undefined) return html`<p><code>${status}</code> ${description}</p>`;
  return html`<details>
    <summary><code>${status}</code> ${description}</summary>
    ${schemaView(schema)}
  </details>`;
}

/** The schema of the first media type. */
function contentOf(content: Readonly<Record<string, { readonly schema?: Schema }>> | undefined): Schema | undefined {
  return Object.values(content ?? {})[0]?.schema;
}

function channelView({ address, description, messages }: AsyncApi['channels'][string], { components }: AsyncApi): Html {
  const listed = Object.keys(messages).map((name) => {
    const message = components.messages[name];
    if (message === undefined) return html``;
    return html`<details>
      <summary><code>${message.name}</code> ${message.summary ?? ''}</summary>
      ${schemaView(message.payload)}
    </details>`;
  });
  return html`<section>
    <h3><code>${address}</code></h3>
    <p>${description}</p>
    ${listed}
  </section>`;
}

function schemasView(schemas: Readonly<Record<string, Schema>>): readonly Html[] {
  return Object.entries(schemas).map(
    ([name, schema]) =>
      html`<section id="schema-${name}">
        <h3>${name}</h3>
        <p>${schema.description ?? ''}</p>
        ${schemaView(schema)}
      </section> `,
  );
}
