import { isUtf8 } from 'node:buffer';
import { JsonText } from '../../../libs/kernel/json-text.js';
import type { ValueBounds } from '../../../libs/kernel/json-values.js';
import { messageCodec, type Message } from '../../../libs/wire/codec.js';
import { fullName, messageOf } from '../../../libs/wire/protos.js';
import { parseJson } from '../edge/body.js';
import { Problem } from '../edge/problem.js';
import { valueBoundsOf } from '../edge/value-bounds.js';
import type { Settings } from '../settings.js';

/** Fields that stay raw, for the threads that work on content. */
const RAW = new Set(['result', 'error']);

interface MessageLimits {
  readonly maxDepth: number;
  /** How many values the JSON in a field may hold. If absent, the number has no limit. */
  readonly valuesOf?: (field: string) => ValueBounds;
}

/** The JSON in messages is read as strictly as HTTP bodies. `fromMessage` throws `Problem`. */
export const { fromMessage, toMessage } = messageCodec<MessageLimits>((bytes, { maxDepth, valuesOf }, name) =>
  RAW.has(name) ? new JsonText(bytes) : parseJson(bytes, { maxDepth, values: valuesOf?.(name) }, name),
);

/** The limits on the JSON in the messages of callers. */
export function messageLimits(limits: Settings['limits']): MessageLimits {
  const { fields, bodyBytes } = valueBoundsOf(limits);
  return { maxDepth: limits.jsonDepth, valuesOf: (name) => fields[name] ?? bodyBytes };
}

/** Replaces a text that is not UTF-8. No schema accepts it as a text, so it is refused by the name of its field. */
const NO_TEXT = false;

/**
 * Reads the bytes of a message, with text as strict as in HTTP bodies: the library itself would replace invalid UTF-8.
 * Attacker-controlled; throws `Problem`.
 */
export function readMessage(type: string, bytes: Buffer): Message {
  try {
    // The library calls this method of the buffer for each text.
    return messageOf(fullName(type)).deserialize(Object.assign(bytes, { utf8Slice: strictText })) as Message;
  } catch {
    throw new Problem('malformed_request', `the message is no ${fullName(type)}`);
  }
}

type Slice = (this: Buffer, from: number, to: number) => string;
const { utf8Slice } = Buffer.prototype as Buffer & { readonly utf8Slice: Slice };

function strictText(this: Buffer, from: number, to: number): string | typeof NO_TEXT {
  const text = utf8Slice.call(this, from, to);
  return !text.includes('\uFFFD') || isUtf8(this.subarray(from, to)) ? text : NO_TEXT;
}
