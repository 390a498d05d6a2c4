import { AuthorizeRequest } from '../../../libs/calls/requests.js';
import type { AuthorizeAnswer } from '../../../libs/contract/calls.js';
import type { Principal } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { unwrap } from '../edge/problem.js';
import type { Authorizing } from '../observability/measured-authorizer.js';
import type { Settings } from '../settings.js';
import { refuseTooLarge } from './limits.js';

export interface AuthorizeParts {
  readonly authorizer: Authorizing;
  readonly limits: Settings['limits'];
}

export interface CallAsking {
  readonly caller: Principal;
  /** Size of the body or message in bytes, as read. */
  readonly bytes: number;
  readonly traceparent: string | undefined;
}

/** Decides one call over any protocol; `body` is the parsed JSON. The hot path: no bus before the decision. */
export async function authorize(
  { authorizer, limits }: AuthorizeParts,
  body: unknown,
  { caller, bytes, traceparent }: CallAsking,
): Promise<AuthorizeAnswer> {
  const asked = parseInput(AuthorizeRequest, body);
  refuseTooLarge(asked, bytes, limits);
  return unwrap(await authorizer.authorize(asked, caller, traceparent));
}
