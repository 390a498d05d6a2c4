import { ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { digestOfBytes } from '../kernel/digest.js';
import { isActive } from '../vocabulary/active-media.js';
import type { Part } from './shapes.js';

/** The essence of a media type, and its parameters (RFC 9110, section 8.3.1). */
const MEDIA_TYPE =
  /^([a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63})((?:\s?;\s?[a-z0-9_-]{1,32}="?[\w.+-]{1,64}"?){0,4})$/;
const UNKNOWN = 'application/octet-stream';

const TEXTUAL = /^(?:text\/.*|application\/(?:json|xml|yaml|x-yaml|toml|.*\+(?:json|xml|yaml)))$/;
const XML = /(?:[/+]xml)$/;
/** The marks of active XML: a stylesheet, a document type with entities, or elements of XHTML, SVG or XSLT. */
const ACTIVE_XML =
  /<\?xml-stylesheet|<!(?:doctype|entity)|https?:\/\/www\.w3\.org\/(?:1999\/xhtml|2000\/svg|1999\/xsl)|<(?:\w+:)?(?:html|svg|script|stylesheet)[\s/>]/i;
const UTF8 = /^(?:.*;\s?charset="?(?:utf-?8|us-ascii)"?.*|(?!.*charset=).*)$/;

type BytesPart = Extract<Part, { type: 'text' | 'blob' }>;

/**
 * Base64 data of a block, as a text part if it is text that nothing runs (UTF-8, no active document), else as a blob.
 * Undefined if the data or the media type is malformed. `told` names the members of the block that the part tells.
 */
export function liftBytes(
  block: JsonObject,
  member: 'data' | 'blob',
): { readonly part: BytesPart; readonly told: readonly string[] } | undefined {
  const data = ownValue(block, member);
  const declared = ownValue(block, 'mimeType') ?? UNKNOWN;
  if (typeof data !== 'string' || typeof declared !== 'string') return undefined;
  const [, mimeType, parameters = ''] = MEDIA_TYPE.exec(declared.toLowerCase()) ?? [];
  if (mimeType === undefined) return undefined;
  const bytes = Buffer.from(data, 'base64');
  // The decoder skips characters that are not base64, so only its own output is accepted: one text for each sequence of
  // bytes.
  if (bytes.toString('base64') !== data) return undefined;
  const text = textIn(bytes, mimeType, parameters);
  if (text !== undefined) return { part: { type: 'text', text }, told: [member] };
  const blob = { type: 'blob' as const, mimeType, size: bytes.length, digest: digestOfBytes(bytes), data };
  return { part: blob, told: parameters === '' ? [member, 'mimeType'] : [member] };
}

function textIn(bytes: Buffer, mimeType: string, parameters: string): string | undefined {
  if (!TEXTUAL.test(mimeType) || isActive(mimeType) || !UTF8.test(parameters)) return undefined;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
  return XML.test(mimeType) && ACTIVE_XML.test(text) ? undefined : text;
}

/** The description of bytes that follow: their kind, media type, size in bytes and digest. */
export function labelOf({ mimeType, size, digest }: Extract<Part, { type: 'blob' }>): string {
  const [top = ''] = mimeType.split('/');
  const kind = (top === 'image' || top === 'audio') && !isActive(mimeType) ? top : 'blob';
  return `[${kind} of type ${mimeType}, ${size} bytes, ${digest}: the next part]`;
}
