import type { JsonPointer } from '../kernel/pointer.js';
import { stripInvisible } from './envelope/invisible.js';

const MAX_POINTER_LENGTH = 256;

/**
 * The leading segments of a pointer into attacker-controlled JSON that fit 256 characters, with invisible characters
 * removed: names in it come from outside, and findings are recorded and shown.
 */
export function boundedPointer(pointer: JsonPointer): JsonPointer {
  const cut =
    pointer.length <= MAX_POINTER_LENGTH ? pointer : pointer.slice(0, pointer.lastIndexOf('/', MAX_POINTER_LENGTH));
  return stripInvisible(cut);
}
