import { writeFileSync } from 'node:fs';
import type { Question } from './questions.js';
import type { Running } from './running.js';

/** A server that answers the questions. */
export interface Target {
  readonly name: string;
  readonly url: string;
  readonly running: Running;
  /** Every request that it is asked, in the order of the load. */
  readonly asked: readonly Asked[];
  /** The decision of an answer. Undefined if it has none. */
  decision(answer: string): boolean | undefined;
  /** The target and its log, for the report. */
  readonly note: string;
  /** Bytes of log that it has written so far; where it keeps a log. */
  readonly loggedBytes?: () => number;
}

export interface Asked {
  readonly question: Question;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON with the text `CALL_ID` where the id of a call belongs, once. */
  readonly body: string;
}

export const CALL_ID = '00000000-dead-4000-8000-c0ffee000000';

/** Writes the requests for `load.lua`, whole except for the id, which always has one length. */
export function writeQuestions(file: string, { url, asked }: Pick<Target, 'url' | 'asked'>): void {
  const { host } = new URL(url);
  const pairs = asked.map(({ path, headers, body }) => {
    const lines = Object.entries({ host, 'content-type': 'application/json', ...headers });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const whole = `POST ${path} HTTP/1.1\r\n${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const [before = '', after, ...more] = whole.split(CALL_ID);
    if (after === undefined || more.length > 0) throw new Error('a request holds one id of a call');
    return `{${luaText(before)},${luaText(after)}}`;
  });
  writeFileSync(file, `return {\n${pairs.join(',\n')}\n}\n`);
}

/** JSON's text is also Lua's, except for \u escapes. The questions are plain ASCII and have none. */
function luaText(text: string): string {
  const json = JSON.stringify(text);
  if (json.includes('\\u')) throw new Error('a request holds a character that Lua would not read');
  return json;
}

/** Asks each distinct question once and gives what went wrong, in words. */
export async function wrongAnswers(target: Omit<Target, 'running' | 'note'>, ids: () => string): Promise<string[]> {
  const wrong: string[] = [];
  const seen = new Set<Question>();
  for (const { question, path, headers, body } of target.asked) {
    if (seen.has(question)) continue;
    seen.add(question);
    const answer = await fetch(`${target.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: body.replace(CALL_ID, ids()),
    });
    const text = await answer.text();
    const { user, action, category, allowed } = question;
    if (answer.status !== 200 || target.decision(text) !== allowed) {
      wrong.push(`${target.name}: ${user.role} ${action} ${category}: ${answer.status} ${text.slice(0, 200)}`);
    }
  }
  return wrong;
}
