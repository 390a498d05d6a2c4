import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Place } from './index/messages.js';

/**
 * Cursors are the place of the last item of a page: opaque to callers, base64url. New items never move an old place, so a
 * walk through all pages answers nothing twice and misses nothing that was there when it began.
 */

/** The cursor of a list in order of time, newest first: `<timeMs>.<seq>`. */
export const cursorOf = ({ timeMs, seq }: Place): string => encoded(`${timeMs}.${seq}`);

/** The place of a cursor; undefined without a cursor. Any other text is `malformed_request`. */
export function placeIn(cursor: string | undefined): Result<Place | undefined, Refusal> {
  if (cursor === undefined) return ok(undefined);
  const parts = /^(\d{1,15})\.(\d{1,15})$/.exec(decoded(cursor));
  return parts === null ? err(malformed()) : ok({ timeMs: Number(parts[1]), seq: Number(parts[2]) });
}

/** The cursor of a list in the order of the log: `p<position>`. */
export const positionCursor = (position: bigint): string => encoded(`p${position}`);

/** The position of a cursor; 0 without a cursor. Any other text is `malformed_request`. */
export function positionIn(cursor: string | undefined): Result<bigint, Refusal> {
  if (cursor === undefined) return ok(0n);
  const parts = /^p(\d{1,18})$/.exec(decoded(cursor));
  return parts === null ? err(malformed()) : ok(BigInt(parts[1] ?? 0));
}

/** The cursor of a list in the order of a key: `k<key>`. */
export const keyCursor = (key: string): string => encoded(`k${key}`);

/** The key of a cursor, which has this form; undefined without a cursor. Any other text is `malformed_request`. */
export function keyIn(cursor: string | undefined, form: RegExp): Result<string | undefined, Refusal> {
  if (cursor === undefined) return ok(undefined);
  const key = Buffer.from(cursor, 'base64url').toString('utf8').slice(1);
  return keyCursor(key) === cursor && form.test(key) ? ok(key) : err(malformed());
}

const encoded = (text: string): string => Buffer.from(text).toString('base64url');
const decoded = (cursor: string): string => Buffer.from(cursor, 'base64url').toString('latin1');

function malformed(): Refusal {
  const errors = [{ path: '/cursor', message: 'is no cursor of this list' }];
  return refusal('malformed_request', 'the cursor is malformed', errors);
}
