/**
 * Joins pieces of a text, in order, as UTF-8. Joining a large text first would copy it several times. Here each piece
 * is encoded at its final place. Encode a piece once if it occurs many times: bytes are copied unchanged.
 */
export function utf8Of(pieces: readonly (string | Uint8Array)[]): Buffer<ArrayBuffer> {
  const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  // Memory of its own, which can move to another thread.
  const bytes = Buffer.allocUnsafeSlow(length);
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
