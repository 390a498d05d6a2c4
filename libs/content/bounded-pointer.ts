import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
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

/**
 * The bounded pointer of a place that a walk is at: the same as `boundedPointer` of all its segments. The bound
 * limits the cost of a step; long names above it do not count.
 */
export class BoundedPath {
  /** One for each depth. A pointer that does not fit ends, and so do all below it. */
  private readonly pointers: { readonly text: JsonPointer; readonly ends: boolean }[];

  constructor(...first: readonly string[]) {
    this.pointers = [{ text: pointerTo(...first), ends: false }];
  }

  push(segment: string | number): void {
    const above = this.pointers.at(-1) ?? { text: '', ends: false };
    const text = above.ends ? above.text : above.text + pointerTo(segment);
    const fits = !above.ends && text.length <= MAX_POINTER_LENGTH;
    this.pointers.push(fits ? { text, ends: false } : { text: above.text, ends: true });
  }

  pop(): void {
    this.pointers.pop();
  }

  get text(): JsonPointer {
    return stripInvisible(this.pointers.at(-1)?.text ?? '');
  }
}
