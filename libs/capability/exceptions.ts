import { ownValue } from '../kernel/canonical-json.js';
import { pointerTo } from '../kernel/pointer.js';
import type { Refusal } from '../kernel/refusal.js';
import { SCHEMA_UNENFORCED, type ExceptionCode } from '../vocabulary/words.js';
import type { SignatureResult } from './signature.js';
import type { VersionState } from './state.js';

const MAX_ERRORS = 20;

/** The exception for an operation one of whose schemas cannot be vetted. */
export const schemaException = (operation: string): ExceptionCode => `${SCHEMA_UNENFORCED}${operation}`;

/** Whether a reviewer has accepted a weakness of a version by name. */
const isExcepted = (version: VersionState, code: ExceptionCode): boolean =>
  version.review?.exceptions.includes(code) === true;

/**
 * The weaknesses of a version that deny its calls until a reviewer accepts them by name, in order of their codes. A
 * signature that is there and carries nothing is one that nobody may accept (`mayExcept`).
 */
export function weaknessesOf(version: VersionState, { result }: SignatureResult): ExceptionCode[] {
  const unenforced = Object.entries(version.operations).filter(([, { unenforced }]) => unenforced !== undefined);
  const codes = unenforced.map(([operation]) => schemaException(operation));
  if (result !== 'verified') codes.push(result);
  if (version.server.method === 'none') codes.push('server_unauthenticated');
  return codes.sort();
}

/** Why schemas of a version are not enforced, each with its operation; undefined if all are. */
export function unenforcedSchemas(version: VersionState): Refusal['errors'] {
  const errors = Object.entries(version.operations).flatMap(([operation, { unenforced = {} }]) =>
    Object.entries(unenforced).map(([kind, why]) => ({
      path: pointerTo('manifest', 'operations', operation),
      message: `its ${kind} schema cannot be enforced: ${why}`,
    })),
  );
  return errors.length === 0 ? undefined : errors.slice(0, MAX_ERRORS);
}

/** Whether a schema of an operation is not enforced, because it cannot be and a reviewer has accepted that by name. */
export function isUnenforced(version: VersionState, operation: string, kind: 'arguments' | 'output'): boolean {
  const facts = ownValue(version.operations, operation);
  return facts?.unenforced?.[kind] !== undefined && isExcepted(version, schemaException(operation));
}

/** Whether a code names a weakness that a reviewer may accept for a version. */
export function mayExcept(version: VersionState, code: ExceptionCode): boolean {
  if (code === 'signature_missing') return true;
  if (code === 'server_unauthenticated') return version.server.method === 'none';
  if (!code.startsWith(SCHEMA_UNENFORCED)) return false;
  return ownValue(version.operations, code.slice(SCHEMA_UNENFORCED.length))?.unenforced !== undefined;
}

/** `low` for a version whose server proves nothing about its identity; undefined for any other version. */
export const trustOf = (version: VersionState): 'low' | undefined =>
  version.server.method === 'none' && isExcepted(version, 'server_unauthenticated') ? 'low' : undefined;
