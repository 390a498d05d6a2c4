import { UUID_PATTERN } from '../../kernel/ids.js';

/** The id of a call in the index: 16 for a UUID, else its text. */
export function idBytes(callId: string): Uint8Array {
  return UUID_PATTERN.test(callId) ? Buffer.from(callId.replaceAll('-', ''), 'hex') : Buffer.from(callId, 'utf8');
}
