/** RFC 6901 JSON Pointer. */
export type JsonPointer = string;

export function pointerTo(...segments: readonly (string | number)[]): JsonPointer {
  return segments.map((segment) => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The names and indexes of a pointer. A text that does not begin with `/` has none. */
export function segmentsOf(pointer: JsonPointer): string[] {
  const [, ...segments] = pointer.split('/');
  return segments.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}
