import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Operation } from '../../libs/contract/operation.js';
import { openApi } from '../../libs/contract/openapi.js';
import { OPERATIONS } from '../../libs/contract/operations.js';

/**
 * Checks every answer of a service in tests against the description that `/openapi.json` publishes. A member that the
 * description does not name is an error here, although clients have to accept it.
 */

type Validate = ReturnType<Ajv2020['compile']>;

/** Every object schema refuses members that it does not name. */
function closed(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(closed);
  if (typeof part !== 'object' || part === null) return part;
  const members = Object.entries(part).map(([name, value]) => [name, closed(value)]);
  const isShape = 'properties' in part && !('additionalProperties' in part);
  return { ...Object.fromEntries(members), ...(isShape ? { additionalProperties: false } : {}) };
}

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(closed(openApi(OPERATIONS, '0.0.0')) as object, 'contract');

const pointer = (...names: readonly string[]) =>
  names.map((name) => `/${encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');

const validatorAt = (...names: readonly string[]): Validate | undefined =>
  ajv.getSchema(`contract#${pointer(...names)}`);

const ROUTES = OPERATIONS.map((op) => ({
  op,
  pattern: new RegExp(`^${op.path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

/** The operation of a request line; undefined if there is none. */
export function operationAt(method: string, url: string): Operation | undefined {
  const path = url.split('?')[0] ?? '';
  return ROUTES.find(({ op, pattern }) => op.method === method && pattern.test(path))?.op;
}

/** Why a success of an operation is none of its answers; undefined if it is one. `status` is an HTTP status. */
export function faultOf(op: Operation, status: number, answer: unknown): string | undefined {
  const media = op.media ?? 'application/json';
  return faultAt(
    answer,
    validatorAt('paths', op.path, op.method.toLowerCase(), 'responses', String(status), 'content', media, 'schema'),
  );
}

/** Why a problem document is none that an operation declares; undefined if it is one. */
export function problemFaultOf(op: Operation | undefined, status: number, document: unknown): string | undefined {
  const fault = faultAt(document, validatorAt('components', 'schemas', 'Problem'));
  if (fault !== undefined || op === undefined) return fault;
  const { code } = document as { code: string };
  const declared = openApiCodes(op, status);
  return declared.has(code) ? undefined : `${code} with ${status} is not declared`;
}

function faultAt(value: unknown, validate: Validate | undefined): string | undefined {
  if (validate === undefined) return 'this status is not declared';
  return validate(value) === true ? undefined : ajv.errorsText(validate.errors);
}

const described = openApi(OPERATIONS, '0.0.0') as {
  readonly paths: Record<string, Record<string, { readonly responses: Record<string, Described> }>>;
};
interface Described {
  readonly content?: Record<string, { readonly examples?: object }>;
}

function openApiCodes(op: Operation, status: number): ReadonlySet<string> {
  const response = described.paths[op.path]?.[op.method.toLowerCase()]?.responses[status];
  return new Set(Object.keys(response?.content?.['application/problem+json']?.examples ?? {}));
}

/** The answers that were not as described, since the last look. */
export class AnswerCheck {
  private faults: string[] = [];

  /** For answers over gRPC, in their JSON shape. */
  readonly overGrpc = (op: Operation, answer: object): void => {
    const status = Math.min(...Object.keys(op.answers).map(Number));
    // As it would be written: members that are undefined are not there.
    this.add(`gRPC ${op.id}`, faultOf(op, status, JSON.parse(JSON.stringify(answer))));
  };

  /** Looks at every answer of a server, on whatever way it was written. */
  overHttp(server: Server): void {
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const { method = '', url = '' } = request;
      const op = operationAt(method, url);
      const pieces = piecesOf(response);
      response.once('close', () => {
        const isStream = op?.media === 'text/event-stream';
        if (method === 'HEAD' || (!isStream && !response.writableFinished)) return;
        // A list that is asked for as a stream: its items are those of the list in JSON.
        if (/^(text\/csv|application\/jsonl)/.test(String(response.getHeader('content-type')))) return;
        this.add(`${method} ${url.split('?')[0]}`, faultIn(op, response.statusCode, Buffer.concat(pieces).toString()));
      });
    });
  }

  /** Throws if an answer was not as described. */
  look(): void {
    const faults = this.faults.splice(0);
    if (faults.length > 0) throw new Error(`answers that the contract does not describe:\n${faults.join('\n')}`);
  }

  private add(what: string, fault: string | undefined): void {
    if (fault !== undefined) this.faults.push(`${what}: ${fault}`);
  }
}

/** What is written to a response from now on. */
function piecesOf(response: ServerResponse): Buffer[] {
  const pieces: Buffer[] = [];
  const keep = (piece: unknown): void => {
    if (typeof piece === 'string') pieces.push(Buffer.from(piece));
    else if (piece instanceof Uint8Array) pieces.push(Buffer.from(piece));
  };
  const write = response.write.bind(response) as (...args: unknown[]) => boolean;
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
  response.write = (...args: unknown[]) => {
    keep(args[0]);
    return write(...args);
  };
  response.end = (...args: unknown[]) => {
    keep(args[0]);
    return end(...args);
  };
  return pieces;
}

const sound = new Set<string>();

function faultIn(op: Operation | undefined, status: number, text: string): string | undefined {
  if (status === 304) return undefined;
  const isDeclared = op?.answers[status] !== undefined;
  if (op === undefined || !isDeclared) return problemFaultOf(op, status, JSON.parse(text));
  if (op.media === 'text/event-stream') {
    // Many watches get the same beats.
    const beats = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data).filter((data) => !sound.has(data));
    const fault = beats.map((data) => faultOf(op, status, JSON.parse(data))).find((each) => each !== undefined);
    if (fault === undefined) for (const data of beats) sound.add(data);
    return fault;
  }
  if (text === '') return status === 204 ? undefined : 'it is empty';
  return faultOf(op, status, op.media === undefined ? JSON.parse(text) : text);
}
