import { isJsonObject } from '../../kernel/canonical-json.js';
import { defined } from '../../kernel/defined.js';
import { boundedText, whyNoAnswer } from '../../kernel/http-answer.js';
import { Problem } from './answers.js';
import { ServiceError, type Ask } from './client.js';

/** Fits a snapshot of the most directives that may be active, and its signed bytes. */
const MAX_ANSWER_BYTES = 160 * 1024 * 1024;

/** Asks over HTTP. Redirects are not followed, so that the token goes to the service only. */
export function askOverHttp(url: URL, token: () => string): Ask {
  const base = url.href.replace(/\/+$/, '');
  return async ({ method, path, body, traceparent }, signal) => {
    let status: number;
    let text: string;
    try {
      const response = await fetch(
        `${base}${path}`,
        defined({
          method,
          redirect: 'error',
          signal,
          headers: defined({
            accept: 'application/json',
            'cache-control': 'no-store',
            authorization: `Bearer ${token()}`,
            traceparent,
            'content-type': body === undefined ? undefined : 'application/json',
          }),
          body: body === undefined ? undefined : JSON.stringify(body),
        }),
      );
      ({ status } = response);
      text = await boundedText(response, MAX_ANSWER_BYTES);
    } catch (error) {
      throw new ServiceError('unreachable', `no answer from ${url.origin}: ${whyNoAnswer(error)}`);
    }
    const answer = parsed(text);
    if (status >= 200 && status < 300 && isJsonObject(answer)) return answer;
    const problem = Problem.safeParse(answer).data;
    // An answer that is no problem document comes from an intermediary: whether the question arrived is unknown.
    if (problem === undefined) throw new ServiceError('unreachable', `HTTP ${status} without a reason`);
    throw new ServiceError(problem.code, problem.detail ?? problem.code);
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
