import { isUtf8 } from 'node:buffer';
import { messageCodec, type Message } from '#libs/wire/codec.js';
import { fullName, messageOf } from '#libs/wire/protos.js';
import { parseJson } from '../http/body.js';
import { Problem } from '../http/problem.js';

/** JSON in messages is read as strictly as bodies over HTTP are; `fromMessage` throws `Problem`. */
export const { fromMessage, toMessage } = messageCodec(parseJson);

/** Stands where a text is not UTF-8. No schema takes it for a text, so it is refused by the name of its field. */
const NO_TEXT = false;

/**
 * Reads the bytes of a message, text as strictly as bodies over HTTP are: the library would put other characters in the
 * place of what is not UTF-8. Attacker-controlled; throws `Problem`.
 */
export function readMessage(type: string, bytes: Buffer): Message {
  try {
    // The library asks the buffer itself for each text in it.
    return messageOf(fullName(type)).deserialize(Object.assign(bytes, { utf8Slice: strictText })) as Message;
  } catch {
    throw new Problem('malformed_request', `the message is no ${fullName(type)}`);
  }
}

type Slice = (this: Buffer, from: number, to: number) => string;
const { utf8Slice } = Buffer.prototype as unknown as { readonly utf8Slice: Slice };

function strictText(this: Buffer, from: number, to: number): string | typeof NO_TEXT {
  const text = utf8Slice.call(this, from, to);
  return !text.includes('\uFFFD') || isUtf8(this.subarray(from, to)) ? text : NO_TEXT;
}
