import { isJsonObject, ownValue, type Json, type JsonObject } from '../../kernel/canonical-json.js';
import { pointerTo, type JsonPointer } from '../../kernel/pointer.js';
import { labelOf, liftBytes, type LiftBytes, type LiftedBytes } from '../bytes.js';
import type { Part } from '../shapes.js';

/** The answer of a server: the `result` or the `error` of a JSON-RPC answer, or a skill's or plugin's output. */
export interface Response {
  readonly result?: JsonObject | undefined;
  readonly error?: JsonObject | undefined;
}

/**
 * A part as it came, not cleaned. `path` points to it in the result or the error. `isOurs`: no server wrote it.
 * `declared`: the media type of a blob as its server wrote it.
 */
export type RawPart = Part & { readonly path: JsonPointer; readonly isOurs?: true; readonly declared?: string };

/** The text or bytes of a block, its place in the block, and the block's other members. */
interface Lifted {
  readonly part: LiftedBytes['part'];
  readonly at: JsonPointer;
  readonly rest: JsonObject;
}

/**
 * Turns a response into parts, which are not cleaned, and not between boundary lines. Nothing is dropped. In order of
 * arrival:
 * - `content[]` (tools/call), `contents[]` (resources/read) and the content of `messages[]` (prompts/get): text, and
 *   base64 data that is text, become a text part. Other data becomes a blob part, and a text part before it describes
 *   it. The other members of the block (uri, annotations, `_meta`, the message's role) are a structured part right
 *   after it, without the text or data;
 * - links, and blocks that are malformed or of an unknown type, are structured parts as they came;
 * - `description` of a prompt is a text part, `structuredContent` a structured part;
 * - all other members of the result (`isError`, `_meta`, …), and a result of another shape, are one structured part; an
 *   `error` is one too.
 */
export function partsOf(response: Response, bytes: LiftBytes = liftBytes): RawPart[] {
  const parts: RawPart[] = [];
  const add = (value: Json, path: JsonPointer) => parts.push({ type: 'structured', value, path });
  const addBlock = (lifted: Lifted | undefined, block: Json, path: JsonPointer): void => {
    if (lifted === undefined) return void add(block, path);
    const { part, rest } = lifted;
    const at = path + lifted.at;
    if (part.type === 'blob') parts.push({ type: 'text', text: labelOf(part), path: at, isOurs: true });
    parts.push({ ...part, path: at });
    if (Object.keys(rest).length > 0) add(rest, path);
  };

  if (response.error !== undefined) add(response.error, '');
  if (response.result === undefined) return parts;
  const rest = new Map<string, Json>(Object.entries(response.result));
  const lists = [
    ['messages', liftMessage],
    ['content', liftBlock],
    ['contents', liftResource],
  ] as const;
  const description = rest.get('description');
  if (Array.isArray(rest.get('messages')) && typeof description === 'string') {
    parts.push({ type: 'text', text: description, path: '/description' });
    rest.delete('description');
  }
  for (const [name, lift] of lists) {
    const blocks = rest.get(name);
    if (!Array.isArray(blocks)) continue;
    rest.delete(name);
    for (const [index, block] of (blocks as readonly Json[]).entries()) {
      const lifted = isJsonObject(block) ? lift(block, bytes) : undefined;
      addBlock(lifted, block, pointerTo(name, index));
    }
  }
  const structured = rest.get('structuredContent');
  if (structured !== undefined) {
    rest.delete('structuredContent');
    add(structured, '/structuredContent');
  }
  if (rest.size > 0 || parts.length === 0) add(Object.fromEntries(rest), '');
  return parts;
}

/** A content block of MCP: `text`, `image`, `audio` or an embedded `resource`; undefined for anything else. */
function liftBlock(block: JsonObject, bytes: LiftBytes): Lifted | undefined {
  switch (ownValue(block, 'type')) {
    case 'text':
      return liftText(block, ['type']);
    case 'image':
    case 'audio':
      return liftData(bytes(block, 'data'), 'data', block, ['type']);
    case 'resource': {
      const resource = ownValue(block, 'resource');
      const lifted = isJsonObject(resource) ? liftResource(resource, bytes) : undefined;
      if (lifted === undefined) return undefined;
      const about = { ...without(block, ['resource']), resource: lifted.rest };
      return { ...lifted, at: `/resource${lifted.at}`, rest: about };
    }
    default:
      return undefined;
  }
}

/** The contents of a resource: `text` or `blob`, but not both. */
function liftResource(resource: JsonObject, bytes: LiftBytes): Lifted | undefined {
  if (Object.hasOwn(resource, 'text')) return Object.hasOwn(resource, 'blob') ? undefined : liftText(resource, []);
  return liftData(bytes(resource, 'blob'), 'blob', resource);
}

/** A message of a prompt: a role and one block. */
function liftMessage(message: JsonObject, bytes: LiftBytes): Lifted | undefined {
  const content = ownValue(message, 'content');
  const lifted = isJsonObject(content) ? liftBlock(content, bytes) : undefined;
  if (lifted === undefined) return undefined;
  const about = Object.keys(lifted.rest).length === 0 ? {} : { content: lifted.rest };
  return { ...lifted, at: `/content${lifted.at}`, rest: { ...without(message, ['content']), ...about } };
}

function liftText(block: JsonObject, told: readonly string[]): Lifted | undefined {
  const text = ownValue(block, 'text');
  if (typeof text !== 'string') return undefined;
  return { part: { type: 'text', text }, at: '/text', rest: without(block, ['text', ...told]) };
}

function liftData(
  lifted: LiftedBytes | undefined,
  member: 'data' | 'blob',
  block: JsonObject,
  told: readonly string[] = [],
): Lifted | undefined {
  if (lifted === undefined) return undefined;
  return { part: lifted.part, at: `/${member}`, rest: without(block, [...lifted.told, ...told]) };
}

/** A copy that keeps members called `__proto__`. */
const without = (object: JsonObject, names: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
