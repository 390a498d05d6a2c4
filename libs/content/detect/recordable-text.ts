import { CURRENT_PACK, packOf } from './packs.js';
import { redacted } from './spans.js';

/** Characters of a recorded text. A redaction may be longer than its span. */
const MAX_CHARS = 2000;

/** A text that a person wrote about content, without the secrets and personal data in it: it is recorded in the clear. */
export function recordableText(text: string): string {
  const spans = packOf(CURRENT_PACK)?.detect(text);
  if (spans === undefined) throw new Error('the current rule pack is missing');
  return spans.length === 0 ? text : redacted(text, spans).slice(0, MAX_CHARS).toWellFormed();
}
