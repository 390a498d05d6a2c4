/** Frames of gRPC: each message has a flag and its length before it. */

export type Headers = Readonly<Record<string, string>>;

const PREFIX_BYTES = 5;

/** A message with its prefix: a flag and its length, which may be false. */
export function framed(message: Uint8Array, lengthSaid = message.length, flag = 0): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix[0] = flag;
  prefix.writeUInt32BE(lengthSaid >>> 0, 1);
  return Buffer.concat([prefix, message]);
}

/** The whole messages in what was received. */
export function messagesIn(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + PREFIX_BYTES <= bytes.length;) {
    const end = at + PREFIX_BYTES + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + PREFIX_BYTES, end));
    at = end;
  }
  return messages;
}
