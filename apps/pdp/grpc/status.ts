import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { PROBLEMS } from '../../../libs/contract/problem.js';
import { pathInMessage } from '../../../libs/wire/fields.js';
import { messageOf } from '../../../libs/wire/protos.js';
import type { Problem } from '../edge/problem.js';

const DETAILS = 'grpc-status-details-bin';
/** Clients accept about 8 KiB of metadata, and base64 adds a third. */
const MAX_FIELDS_BYTES = 4096;

/**
 * A problem as the status that ends a call. Its code becomes the reason of an ErrorInfo; its fields become a BadRequest, by
 * their paths in a message of `requestType`. A RetryInfo says that the same request may be sent again, and when.
 */
export function statusOf(problem: Problem, requestType?: string): StatusObject {
  const { code: reason, detail, retryAfterS } = problem;
  const code = status[PROBLEMS[reason].grpc];
  const details = [any('google.rpc.ErrorInfo', { reason, domain: 'sallyport' })];
  const errors = requestType === undefined ? problem.errors : errorsIn(requestType, problem);
  if (errors !== undefined) details.push(any('google.rpc.BadRequest', { field_violations: violations(errors) }));
  const metadata = new Metadata();
  if (retryAfterS !== undefined) {
    details.push(any('google.rpc.RetryInfo', { retry_delay: { seconds: retryAfterS } }));
    metadata.set('grpc-retry-pushback-ms', String(retryAfterS * 1000));
  }
  metadata.set(DETAILS, messageOf('google.rpc.Status').serialize({ code, message: detail, details }));
  return { code, details: detail, metadata };
}

/** The wrong fields of a problem, by their paths in a message of this type. */
export const errorsIn = (type: string, { errors }: Problem): Problem['errors'] =>
  errors?.map(({ path, message }) => ({ path: pathInMessage(type, path), message }));

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
