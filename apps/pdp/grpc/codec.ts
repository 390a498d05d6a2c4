import { messageCodec, type Message } from '#libs/wire/codec.js';
import { fullName, messageOf } from '#libs/wire/protos.js';
import { parseJson } from '../http/body.js';
import { Problem } from '../http/problem.js';

/** JSON in messages is read as strictly as bodies over HTTP are; `fromMessage` throws `Problem`. */
export const { fromMessage, toMessage } = messageCodec(parseJson);

/** Reads the bytes of a message. Attacker-controlled; throws `Problem`. */
export function readMessage(type: string, bytes: Buffer): Message {
  try {
    return messageOf(fullName(type)).deserialize(bytes) as Message;
  } catch {
    throw new Problem('malformed_request', `the message is no ${fullName(type)}`);
  }
}
