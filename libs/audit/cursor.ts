import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import type { Place } from './index/messages.js';

/** The cursor of a list in order of time: opaque to callers, base64url of `<timeMs>.<seq>`. */
export const cursorOf = ({ timeMs, seq }: Place): string => Buffer.from(`${timeMs}.${seq}`).toString('base64url');

/** The place of a cursor; undefined without a cursor. Any other text is `malformed_request`. */
export function placeIn(cursor: string | undefined): Result<Place | undefined, Refusal> {
  if (cursor === undefined) return ok(undefined);
  const parts = /^(\d{1,15})\.(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (parts !== null) return ok({ timeMs: Number(parts[1]), seq: Number(parts[2]) });
  const errors = [{ path: '/cursor', message: 'is no cursor of this list' }];
  return err(refusal('malformed_request', 'the cursor is malformed', errors));
}
