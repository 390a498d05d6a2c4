import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { PROBLEMS } from '../../../libs/contract/problem.js';
import { messageOf } from '../../../libs/wire/protos.js';
import type { Problem } from '../edge/problem.js';

/** The delay before a client's automatic retry, in milliseconds. */
const RETRY_AFTER_MS = '1000';
const DETAILS = 'grpc-status-details-bin';
/** Clients accept about 8 KiB of metadata, and base64 adds a third. */
const MAX_FIELDS_BYTES = 4096;

/**
 * A problem as the status that ends a call. Its code becomes the reason of an ErrorInfo; its fields become a
 * BadRequest.
 */
export function statusOf(problem: Problem): StatusObject {
  const { code: reason, detail, errors } = problem;
  const code = status[PROBLEMS[reason].grpc];
  const details = [any('google.rpc.ErrorInfo', { reason, domain: 'sallyport' })];
  if (errors !== undefined) details.push(any('google.rpc.BadRequest', { field_violations: violations(errors) }));
  const metadata = new Metadata();
  if (code === status.UNAVAILABLE || reason === 'overloaded') metadata.set('grpc-retry-pushback-ms', RETRY_AFTER_MS);
  metadata.set(DETAILS, messageOf('google.rpc.Status').serialize({ code, message: detail, details }));
  return { code, details: detail, metadata };
}

/** The wrong fields, as many as the metadata has room for. */
function violations(errors: NonNullable<Problem['errors']>): { field: string; description: string }[] {
  let left = MAX_FIELDS_BYTES;
  return errors
    .map(({ path, message }) => ({ field: path, description: message }))
    .filter(({ field, description }) => (left -= Buffer.byteLength(field + description)) >= 0);
}

const any = (type: string, message: object): object => ({
  type_url: `type.googleapis.com/${type}`,
  value: messageOf(type).serialize(message),
});
