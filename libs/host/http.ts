import { isJsonObject, ownValue } from '../kernel/canonical-json.js';
import { ServiceError, type Ask } from './client.js';

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Asks over HTTP. Redirects are not followed: a token goes to the service and nowhere else. */
export function askOverHttp(url: URL, token: () => string): Ask {
  const base = url.href.replace(/\/+$/, '');
  return async ({ method, path, body, traceparent }, signal) => {
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${base}${path}`, {
        method,
        redirect: 'error',
        signal,
        headers: {
          accept: 'application/json',
          'cache-control': 'no-store',
          authorization: `Bearer ${token()}`,
          ...(traceparent === undefined ? {} : { traceparent }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      ({ status } = response);
      text = await boundedText(response);
    } catch (error) {
      throw new ServiceError('unreachable', `no answer from ${url.origin}: ${whyOf(error)}`);
    }
    const answer = parsed(text);
    if (status >= 200 && status < 300 && isJsonObject(answer)) return answer;
    const problem = isJsonObject(answer) ? answer : {};
    const [code, detail] = [ownValue(problem, 'code'), ownValue(problem, 'detail')];
    // What is no problem document comes from something between, so whether the question arrived is not known.
    if (typeof code !== 'string') throw new ServiceError('unreachable', `HTTP ${status} without a reason`);
    throw new ServiceError(code, typeof detail === 'string' ? detail : code);
  };
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response.body ?? []) {
    total += chunk.length;
    if (total > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return 'it took too long';
  const cause = error.cause instanceof Error ? error.cause : error;
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}
