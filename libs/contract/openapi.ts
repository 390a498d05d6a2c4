import { z } from 'zod';
import { components } from './components.js';
import { JsonSchemas, type JsonSchema } from './json-schema.js';
import { problemsOf, queryOf, type Operation } from './operation.js';
import { PROBLEMS, ProblemDocument, type ProblemCode } from './problem.js';

const TAGS: Readonly<Record<string, string>> = {
  tasks: 'A task states who acts for whom and what it may use.',
  calls: 'Decisions on calls, and what comes back from them.',
  directives: 'Emergency disables, and the feed by which hosts follow them.',
  registry: 'Capabilities, their versions and their reviews.',
  publishers: 'Publishers, and the keys that sign manifests.',
  policies: 'Policy sets in Cedar: what users may do.',
  principals: 'Who may call the service.',
  audit: 'Evidence, for auditors.',
  transparency: 'Checkpoints of the log and proofs, which show that nothing was changed, left out or put in.',
  health: 'State of the process. Needs no token.',
  docs: 'Descriptions of the service. Needs no token.',
};

const INFO = {
  title: 'Sallyport',
  summary: 'A policy decision point for agent capabilities',
  description:
    'Hosts ask before each call of a capability; every decision is recorded before it is answered. A caller treats ' +
    'everything but a 200 with `"decision": "allow"` as a deny. A query parameter that an operation does not name is a ' +
    '400. A method that a path does not have is a 405 with `Allow`.',
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
} as const;

const SCHEMAS = '#/components/schemas/';

/** The OpenAPI 3.1 document of operations. `version`: of the service. */
export function openApi(operations: readonly Operation[], version: string): JsonSchema {
  const schemas = new JsonSchemas(SCHEMAS);
  const paths: Record<string, JsonSchema> = {};
  for (const op of operations) {
    const path = (paths[op.path] ??= {});
    path[op.method.toLowerCase()] = describe(op, schemas);
  }
  const tags = [...new Set(operations.map(({ tag }) => tag))];
  return {
    openapi: '3.1.0',
    info: { ...INFO, version },
    tags: tags.map((name) => ({ name, description: TAGS[name] ?? name })),
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'The token of a principal.' } },
      examples: Object.fromEntries(
        Object.keys(PROBLEMS).map((code) => [code, { value: exampleOf(code as ProblemCode) }]),
      ),
      schemas: schemas.named,
    },
  };
}

function describe(op: Operation, schemas: JsonSchemas): JsonSchema {
  const { roles } = op;
  const named = roles === 'public' ? 'no token' : roles === 'any' ? 'any principal' : roles.join(' or ');
  const who = op.mayBePublic === true ? `${named}; nobody needs a token if SALLYPORT_LOG_PUBLIC is on` : named;
  return {
    operationId: op.id,
    tags: [op.tag],
    summary: op.summary,
    description: [op.description, `Caller: ${who}.`].filter((text) => text !== undefined).join('\n\n'),
    ...(roles === 'public' ? { security: [] } : {}),
    'x-roles': roles,
    ...(op.rpc === undefined ? {} : { 'x-grpc': op.rpc }),
    ...(op.rpcStream === undefined ? {} : { 'x-grpc-stream': op.rpcStream }),
    parameters: parametersOf(op, schemas),
    ...(op.body === undefined ? {} : { requestBody: bodyOf(op.body, schemas) }),
    responses: { ...successesOf(op, schemas), ...problemAnswersOf(op, schemas) },
  };
}

function parametersOf(op: Operation, schemas: JsonSchemas): JsonSchema[] {
  const within = (place: string, object: z.ZodObject | undefined): JsonSchema[] =>
    Object.entries(object?.shape ?? {}).map(([name, schema]) => {
      const { description, ...written } = schemas.of(schema as z.ZodType);
      const required = place === 'path' || !z.safeParse(schema as z.ZodType, undefined).success;
      return { name, in: place, required, ...(description === undefined ? {} : { description }), schema: written };
    });
  return [
    ...within('path', op.params),
    ...queryOf(op).flatMap((object) => within('query', object)),
    ...within('header', op.idempotencyKey === true ? IdempotencyKey : undefined),
  ];
}

const IdempotencyKey = z.object({
  'Idempotency-Key': z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/)
    .optional()
    .describe('Makes a repeat safe if the body has no id: the same key with the same body answers what was recorded.'),
});

const bodyOf = (body: z.ZodType, schemas: JsonSchemas): JsonSchema => ({
  required: !body.safeParse(undefined).success,
  content: { 'application/json': { schema: schemas.of(body) } },
});

function successesOf(op: Operation, schemas: JsonSchemas): JsonSchema {
  const media = op.media ?? 'application/json';
  const described = Object.entries(op.answers).map(([status, schema]) => {
    const description = components.get(schema)?.description ?? (Number(status) < 400 ? 'Success.' : 'Not ready.');
    if (schema instanceof z.ZodVoid) return [status, { description }];
    const located =
      op.location !== undefined && status === '201' ? headerOf('Location', 'The path of the made thing.') : {};
    const asText = (op.formats ?? []).map((format) => [format, { schema: { type: 'string' } }] as const);
    const content = { [media]: { schema: schemas.of(schema) }, ...Object.fromEntries(asText) };
    return [status, { description, ...located, content }];
  });
  return Object.fromEntries(described) as JsonSchema;
}

/** One answer for each status. Its examples name the codes that it can have here. */
function problemAnswersOf(op: Operation, schemas: JsonSchemas): JsonSchema {
  const byStatus = Map.groupBy(problemsOf(op), (code) => PROBLEMS[code].status);
  const described = [...byStatus].map(([status, codes]) => {
    const description = codes.map((code) => `\`${code}\`: ${PROBLEMS[code].description}`).join('\n\n');
    const examples = Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]));
    const content = { 'application/problem+json': { schema: schemas.of(ProblemDocument), examples } };
    return [status, { description, ...headersOf(status), content }];
  });
  // An operation may answer a status with a shape of its own, as readiness does.
  return Object.fromEntries(described.filter(([status]) => op.answers[Number(status)] === undefined)) as JsonSchema;
}

const headerOf = (name: string, description: string): JsonSchema => ({
  headers: { [name]: { description, schema: { type: 'string' } } },
});

function headersOf(status: number): JsonSchema {
  if (status === 401) return headerOf('WWW-Authenticate', 'How to be let in.');
  return status === 429 || status === 503 ? headerOf('Retry-After', 'Seconds to wait.') : {};
}

const exampleOf = (code: ProblemCode) => ({
  type: `urn:sallyport:problem:${code}`,
  title: code.replaceAll('_', ' '),
  status: PROBLEMS[code].status,
  detail: PROBLEMS[code].description,
  code,
});
