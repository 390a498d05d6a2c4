import { isJsonObject, ownValue, type Json, type JsonObject } from '../../libs/kernel/canonical-json.js';
import { defined } from '../../libs/kernel/defined.js';
import { boundedText, whyNoAnswer } from '../../libs/kernel/http-answer.js';
import { nextStep } from './no-answer.js';
import { at } from './print.js';

/** The service answered with RFC 9457 problem+json. `code` is the contract's. */
export class ServiceProblem extends Error {
  override readonly name = 'ServiceProblem';

  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: readonly { readonly path: string; readonly message: string }[],
    /** The exceptions that a reviewer has to name, with `exception_required`. */
    readonly needed: readonly string[] = [],
  ) {
    super(detail);
  }
}

/** The service did not answer, or its answer cannot be understood. */
export class ServiceUnreachable extends Error {
  override readonly name = 'ServiceUnreachable';

  constructor(
    message: string,
    /** The next step for an operator, in one line. */
    readonly next = 'Is --server right?',
  ) {
    super(message);
  }
}

/**
 * True if the command that failed may have been carried out: the service does not know, or its answer never arrived.
 */
export const mayBeDone = (error: unknown): boolean =>
  error instanceof ServiceUnreachable || (error instanceof ServiceProblem && error.code === 'outcome_unknown');

export interface ClientOptions {
  readonly server: URL;
  /** Bearer token; never printed. */
  readonly token: string | undefined;
  readonly timeoutMs?: number;
}

/** Resolves to the body of a 2xx, or `{}` if it has none. Throws `ServiceProblem` or `ServiceUnreachable`. */
export type Call = (
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  /** Replaces the caller's own time-out, in whole milliseconds. */
  timeoutMs?: number,
) => Promise<JsonObject>;

const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** A caller of one Sallyport service. Redirects are not followed: a token goes to the service and nowhere else. */
export function createCall({ server, token, timeoutMs = TIMEOUT_MS }: ClientOptions): Call {
  const base = server.href.replace(/\/+$/, '');
  return async (method, path, body, withinMs = timeoutMs) => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(
        `${base}${path}`,
        defined({
          method,
          redirect: 'error',
          signal: AbortSignal.timeout(withinMs),
          headers: defined({
            accept: 'application/json',
            authorization: token === undefined ? undefined : `Bearer ${token}`,
            'content-type': body === undefined ? undefined : 'application/json',
          }),
          body: body === undefined ? undefined : JSON.stringify(body),
        }),
      );
      text = await boundedText(response, MAX_ANSWER_BYTES);
    } catch (error) {
      const why = whyNoAnswer(error);
      throw new ServiceUnreachable(`no answer from ${server.origin}: ${why}`, nextStep(server, why));
    }
    const parsed = parse(text);
    if (response.ok) {
      if (text === '') return {};
      if (isJsonObject(parsed)) return parsed;
      throw new ServiceUnreachable(
        `${server.origin} answered with something that is not JSON`,
        'Is it a Sallyport service?',
      );
    }
    throw problemOf(response.status, parsed);
  };
}

/** Path segments, each encoded. The name of an operation or a version may hold any character. */
export function path(...segments: readonly string[]): string {
  return `/v1/${segments.map((segment) => encodeURIComponent(segment)).join('/')}`;
}

/** `?a=b…` for the options that are set, or an empty string. */
export function query(options: Readonly<Record<string, string | undefined>>): string {
  const set = Object.entries(options).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return set.length === 0 ? '' : `?${new URLSearchParams(set).toString()}`;
}

/** Most pages to ask for: a server can answer a list that never ends. */
const MAX_PAGES = 1000;

/** All items of a list that hold the conditions, page after page. */
export async function everyPage(
  call: Call,
  target: string,
  conditions: Readonly<Record<string, string | undefined>> = {},
): Promise<JsonObject> {
  const items: Json[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const answer = await call('GET', target + query({ ...conditions, limit: '1000', cursor }));
    const page = ownValue(answer, 'items');
    if (Array.isArray(page)) items.push(...(page as readonly Json[]));
    const next = ownValue(answer, 'next');
    if (typeof next !== 'string') return { items };
    cursor = next;
  }
  throw endless(MAX_PAGES);
}

/** A list that is cut must not look whole. */
export const endless = (pages: number): ServiceUnreachable =>
  new ServiceUnreachable(`the answer has over ${pages} pages`);

/** The JSON of an answer; undefined if it is none. */
export function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** The error of an answer that is no 2xx. */
export function problemOf(status: number, parsed: Json | undefined): Error {
  const problem = isJsonObject(parsed) ? parsed : {};
  const textAt = (key: string): string | undefined => {
    const value = ownValue(problem, key);
    return typeof value === 'string' ? value : undefined;
  };
  const code = textAt('code');
  if (code === undefined) return new ServiceUnreachable(`the service answered HTTP ${status} without a reason`);
  const errors = ownValue(problem, 'errors');
  const fields = (Array.isArray(errors) ? (errors as readonly Json[]) : []).filter(isJsonObject).map((error) => ({
    path: at(error, 'path'),
    message: at(error, 'message'),
  }));
  const needed = ownValue(problem, 'needed');
  const exceptions = (Array.isArray(needed) ? (needed as readonly Json[]) : []).filter(
    (each) => typeof each === 'string',
  );
  return new ServiceProblem(status, code, textAt('detail') ?? textAt('title') ?? code, fields, exceptions);
}
