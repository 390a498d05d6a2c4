import { canonicalJson, isJsonObject, type Json } from '../../kernel/canonical-json.js';
import { readingsOf } from '../bytes.js';
import { partsOf } from '../envelope/parts.js';
import type { Part } from '../shapes.js';
import { textsOf } from './texts.js';

/**
 * The texts of an envelope's parts as the agent sees them: cleaned, with the markers of quarantined spans, without the
 * boundary lines. Structured parts are also seen whole, as JSON.
 */
export function shownTexts(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => {
    if (part.type === 'blob') return [];
    if (part.type === 'text') return [part.text.slice(part.text.indexOf('\n') + 1, part.text.lastIndexOf('\n'))];
    return [...textsOf(part.value).map(({ text }) => text), canonicalJson(part.value)];
  });
}

/** The texts in bytes of a response as it came. An agent can read them by a tool. */
export function blobTexts(response: Json): string[] {
  if (!isJsonObject(response)) return [];
  return partsOf({ result: response }).flatMap((part) =>
    part.type === 'blob' ? readingsOf(part.data, part.declared ?? part.mimeType) : [],
  );
}
