import { pointerTo, type JsonPointer } from './pointer.js';

const MAX_POINTER_CHARS = 500;

/**
 * The place of an offset in a JSON text, as a pointer to the value, or to the object if a key is at the offset.
 * JSON.parse has to accept the text. The names in the pointer are those of the text, cut at 500 characters and
 * well-formed.
 */
export function pointerAt(text: string, offset: number): JsonPointer {
  // One entry for each open object (the last key) and list (the index).
  const open: (string | number)[] = [];
  let isKey = false;
  for (let at = 0; at <= offset && at < text.length; at += 1) {
    const last = open.at(-1);
    switch (text[at]) {
      case '{':
      case '[':
        if (at === offset) break;
        isKey = text[at] === '{';
        open.push(isKey ? '' : 0);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        isKey = typeof last === 'string';
        if (typeof last === 'number') open[open.length - 1] = last + 1;
        break;
      case '"': {
        const end = endOfString(text, at);
        // A faulty key is not quoted.
        if (at === offset) return bounded(isKey ? open.slice(0, -1) : open);
        if (isKey) open[open.length - 1] = JSON.parse(text.slice(at, end + 1)) as string;
        isKey = false;
        at = end;
        break;
      }
    }
  }
  return bounded(open);
}

function endOfString(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end;
}

const bounded = (segments: readonly (string | number)[]): JsonPointer =>
  pointerTo(...segments)
    .slice(0, MAX_POINTER_CHARS)
    .toWellFormed();
