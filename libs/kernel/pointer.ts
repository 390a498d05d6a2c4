/** RFC 6901 JSON Pointer. */
export type JsonPointer = string;

export function pointerTo(...segments: readonly (string | number)[]): JsonPointer {
  return segments.map((segment) => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
