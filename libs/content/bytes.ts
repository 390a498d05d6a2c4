import { ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { digestOfBytes } from '../kernel/digest.js';
import { isActive } from '../vocabulary/active-media.js';
import type { Part } from './shapes.js';

/** The essence of a media type, and its parameters (RFC 9110, section 8.3.1). */
const MEDIA_TYPE =
  /^([a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63})((?:\s?;\s?[a-z0-9_-]{1,32}="?[\w.+-]{1,64}"?){0,4})$/;
const UNKNOWN = 'application/octet-stream';

/**
 * Media types that our own label may name, and that are passed on: subtypes of one word, and the usual longer ones. Any
 * other one is content: a server chooses it, and its grammar (RFC 6838) has room for a sentence.
 */
const KNOWN = new RegExp(
  `^(?:application|audio|font|image|message|model|text|video)/(?:${[
    String.raw`(?:x-|vnd\.|prs\.)?[a-z0-9]{1,12}(?:\+(?:xml|json|yaml|zip|gzip|cbor))?`,
    'octet-stream|java-archive|x-7z-compressed|x-www-form-urlencoded|x-component|x-server-parsed-html',
    String.raw`vnd\.ms-(?:excel|powerpoint|project|fontobject|outlook)|vnd\.(?:microsoft\.icon|apple\.mpegurl)`,
    String.raw`vnd\.openxmlformats-officedocument\.(?:wordprocessing|spreadsheet|presentation)ml\.(?:document|sheet|presentation|template|slideshow)`,
    String.raw`vnd\.oasis\.opendocument\.(?:text|spreadsheet|presentation|graphics)`,
  ].join('|')})$`,
);

const TEXTUAL = /^(?:text\/.*|application\/(?:json|xml|yaml|x-yaml|toml|.*\+(?:json|xml|yaml)))$/;
const XML = /(?:[/+]xml)$/;
/** The marks of active XML: a stylesheet, a document type with entities, or elements of XHTML, SVG or XSLT. */
const ACTIVE_XML =
  /<\?xml-stylesheet|<!(?:doctype|entity)|https?:\/\/www\.w3\.org\/(?:1999\/xhtml|2000\/svg|1999\/xsl)|<(?:\w+:)?(?:html|svg|script|stylesheet)[\s/>]/i;
const UTF8 = /^(?:.*;\s?charset="?(?:utf-?8|us-ascii)"?.*|(?!.*charset=).*)$/;

type TextPart = Extract<Part, { type: 'text' }>;
type BlobPart = Extract<Part, { type: 'blob' }>;

/** `told`: the members of the block that the part tells. `declared`: a blob's media type as its server wrote it. */
export interface LiftedBytes {
  readonly part: TextPart | (BlobPart & { readonly declared: string });
  readonly told: readonly string[];
}

/** Base64 data of a block, as a part; undefined if it is malformed. */
export type LiftBytes = (block: JsonObject, member: 'data' | 'blob') => LiftedBytes | undefined;

/**
 * Base64 data of a block, as a text part if it is text that nothing runs (UTF-8, no active document), else as a blob. A
 * blob of a media type that is not known is one of `application/octet-stream`, and the type stays in the block.
 */
export const liftBytes: LiftBytes = (block, member) => {
  const lifted = liftAsDeclared(block, member);
  if (lifted !== undefined && (lifted.part.type === 'text' || KNOWN.test(lifted.part.mimeType))) return lifted;
  const [bytes, declared] = [bytesIn(block, member), declaredBy(block)];
  return bytes && declared !== undefined ? { part: blobOf(bytes, UNKNOWN, declared), told: [member] } : undefined;
};

/** The same with every media type of a plain form, as in the records of responses that were not searched. */
export const liftAsDeclared: LiftBytes = (block, member) => {
  const declared = declaredBy(block);
  const [, mimeType, parameters = ''] = MEDIA_TYPE.exec(declared?.toLowerCase() ?? '') ?? [];
  if (declared === undefined || mimeType === undefined) return undefined;
  const bytes = bytesIn(block, member);
  if (bytes === undefined) return undefined;
  const text = quotableText(bytes, mimeType, parameters);
  if (text !== undefined) return { part: { type: 'text', text }, told: [member] };
  return { part: blobOf(bytes, mimeType, declared), told: parameters === '' ? [member, 'mimeType'] : [member] };
};

/** The media type that a block declares; undefined if it is no string. */
function declaredBy(block: JsonObject): string | undefined {
  const declared = ownValue(block, 'mimeType') ?? UNKNOWN;
  return typeof declared === 'string' ? declared : undefined;
}

/**
 * The decoder skips characters that are not base64, so only its own output is accepted: one text for each sequence of
 * bytes.
 */
function bytesIn(block: JsonObject, member: 'data' | 'blob'): Buffer | undefined {
  const data = ownValue(block, member);
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : undefined;
  return bytes?.toString('base64') === data ? bytes : undefined;
}

const blobOf = (bytes: Buffer, mimeType: string, declared: string) => ({
  type: 'blob' as const,
  mimeType,
  size: bytes.length,
  digest: digestOfBytes(bytes),
  data: bytes.toString('base64'),
  declared,
});

function quotableText(bytes: Buffer, mimeType: string, parameters: string): string | undefined {
  if (!TEXTUAL.test(mimeType) || isActive(mimeType) || !UTF8.test(parameters)) return undefined;
  const text = decoded(bytes, 'utf-8');
  return text !== undefined && XML.test(mimeType) && ACTIVE_XML.test(text) ? undefined : text;
}

const CHARSET = /;\s*charset\s*=\s*["']?\s*([\w.:-]+)/i;

/**
 * The texts that somebody may read in bytes, each once: by the byte order mark, by the charset that the media type names,
 * and as UTF-8. Broken bytes of a textual type are UTF-8 too, and UTF-16 if there is a zero byte. None
 * if the bytes are no text.
 */
export function readingsOf(data: string, declared: string): string[] {
  const bytes = Buffer.from(data, 'base64');
  const [essence = ''] = declared.toLowerCase().split(';');
  const isTextual = TEXTUAL.test(essence.trim()) || isActive(essence.trim());
  const marked = UTF16_MARKS.find(([first, second]) => bytes[0] === first && bytes[1] === second)?.[2];
  const named = CHARSET.exec(declared)?.[1];
  const unmarked = isTextual && marked === undefined ? unmarkedUtf16(bytes) : undefined;
  const readings = [
    ...[marked, named].map((charset) => charset && decoded(bytes, charset, 'broken')),
    decoded(bytes, 'utf-8', isTextual ? 'broken' : 'whole'),
    unmarked && decoded(bytes, unmarked, 'broken'),
  ];
  return [...new Set(readings.filter((text): text is string => text !== undefined && text !== ''))];
}

const UTF16_MARKS = [
  [0xff, 0xfe, 'utf-16le'],
  [0xfe, 0xff, 'utf-16be'],
] as const;

/** UTF-16 without a mark has zero bytes at one side of its ASCII characters. */
function unmarkedUtf16(bytes: Buffer): string | undefined {
  if (!bytes.includes(0)) return undefined;
  const zeros = [0, 0] as [number, number];
  for (let at = bytes.indexOf(0); at !== -1; at = bytes.indexOf(0, at + 1)) zeros[(at % 2) as 0 | 1] += 1;
  return zeros[0] > zeros[1] ? 'utf-16be' : 'utf-16le';
}

/** Undefined if the platform does not know the charset, or if the bytes have to be `whole` and are not. */
function decoded(bytes: Buffer, charset: string, may: 'broken' | 'whole' = 'whole'): string | undefined {
  try {
    return new TextDecoder(charset, { fatal: may === 'whole' }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The description of bytes that follow: their kind, media type, size in bytes and digest. */
export function labelOf({ mimeType, size, digest }: BlobPart): string {
  const [top = ''] = mimeType.split('/');
  const kind = (top === 'image' || top === 'audio') && !isActive(mimeType) ? top : 'blob';
  return `[${kind} of type ${mimeType}, ${size} bytes, ${digest}: the next part]`;
}
