import { canonicalJson } from '../../kernel/canonical-json.js';
import type { Part } from '../shapes.js';
import { textsOf } from './texts.js';

/**
 * The texts of an envelope's parts as the agent sees them: cleaned, with the markers of quarantined spans, without the
 * boundary lines. Structured parts are also seen whole, as JSON. The base64 of bytes is in the raw response.
 */
export function shownTexts(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => {
    if (part.type === 'blob') return [];
    if (part.type === 'text') return [part.text.slice(part.text.indexOf('\n') + 1, part.text.lastIndexOf('\n'))];
    return [...textsOf(part.value).map(({ text }) => text), canonicalJson(part.value)];
  });
}
