/**
 * Pieces of a text, one after the other, as UTF-8. A large text that is joined first is copied several times; here each
 * piece is encoded where it comes to stand. What stands in many places had better be encoded once: bytes are copied.
 */
export function utf8Of(pieces: readonly (string | Uint8Array)[]): Buffer {
  const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') at += bytes.write(piece, at, 'utf8');
    else {
      bytes.set(piece, at);
      at += piece.byteLength;
    }
  }
  return bytes;
}
