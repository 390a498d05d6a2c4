/** Frames of HTTP/2 (RFC 9113) as bytes, so that a test says which of them come in one segment. */

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const END_STREAM = 1;
const END_HEADERS = 4;

export const CANCEL = 8;
export const NO_ERROR = 0;

/** The preface of a client's connection. */
export const opening = (): Buffer => Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0, Buffer.alloc(0))]);

/** HPACK (RFC 7541): literals without a table and without Huffman codes. */
export function headers(stream: number, fields: Readonly<Record<string, string>>): Buffer {
  const block = Object.entries(fields).map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)]));
  return frame(HEADERS, END_HEADERS, stream, Buffer.concat(block));
}

export const data = (stream: number, bytes: Buffer): Buffer => frame(DATA, 0, stream, bytes);

export const halfClose = (stream: number): Buffer => frame(DATA, END_STREAM, stream, Buffer.alloc(0));

export function reset(stream: number, code: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(RST_STREAM, 0, stream, payload);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A string literal: its length has a prefix of seven bits. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  return Buffer.concat([Buffer.of(127, bytes.length - 127), bytes]);
}
