/** JSON that has been written already, as UTF-8: it is passed on unchanged. */
export class JsonText {
  constructor(readonly bytes: Uint8Array) {}

  toString(): string {
    return this.buffer.toString('utf8');
  }

  /** The same bytes as a Buffer. */
  get buffer(): Buffer {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }
}
