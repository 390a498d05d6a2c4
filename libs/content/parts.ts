import { isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
import { err, ok, type Result } from '../kernel/result.js';
import { labelOf, liftBytes } from './bytes.js';
import { quoteDeep, quoteText, type DeepFault } from './invisible.js';
import type { Part } from './shapes.js';

/** The answer of a server: the `result` or the `error` of a JSON-RPC answer, or a skill's or plugin's output. */
export interface Response {
  readonly result?: JsonObject | undefined;
  readonly error?: JsonObject | undefined;
}

/** The text or bytes of a block, and its other members. */
interface Lifted {
  readonly part: Part;
  readonly rest: JsonObject;
}

/**
 * Turns a response into parts, cleaned by `quoteText` and `quoteDeep`; text parts are not between boundary lines yet.
 * Nothing is dropped. In order of arrival:
 * - `content[]` (tools/call), `contents[]` (resources/read) and the content of `messages[]` (prompts/get): text, and
 *   base64 data that is text, become a text part. Other data becomes a blob part, and a text part before it describes
 *   it. The other members of the block (uri, annotations, `_meta`, the message's role) are a structured part right
 *   after it, without the text or data;
 * - links, and blocks that are malformed or of an unknown type, are structured parts as they came;
 * - `description` of a prompt is a text part, `structuredContent` a structured part;
 * - all other members of the result (`isError`, `_meta`, …), and a result of another shape, are one structured part; an
 *   `error` is one too.
 *
 * Fails if cleaning makes two keys of one object equal.
 */
export function partsOf(response: Response): Result<Part[], DeepFault> {
  const parts: Part[] = [];
  const add = (value: Json, path: JsonPointer): Result<void, DeepFault> => {
    const quoted = quoteDeep(value);
    if (!quoted.ok) return err({ ...quoted.error, path: path + quoted.error.path });
    parts.push({ type: 'structured', value: quoted.value });
    return ok(undefined);
  };
  const addBlock = (lifted: Lifted | undefined, block: Json, path: JsonPointer): Result<void, DeepFault> => {
    if (lifted === undefined) return add(block, path);
    const { part } = lifted;
    if (part.type === 'blob') parts.push(labelOf(part));
    parts.push(part);
    return Object.keys(lifted.rest).length === 0 ? ok(undefined) : add(lifted.rest, path);
  };

  if (response.error !== undefined) {
    const added = add(response.error, '');
    if (!added.ok) return added;
  }
  if (response.result === undefined) return ok(parts);
  const rest = new Map<string, Json>(Object.entries(response.result));
  const lists = [
    ['messages', liftMessage],
    ['content', liftBlock],
    ['contents', liftResource],
  ] as const;
  const description = rest.get('description');
  if (Array.isArray(rest.get('messages')) && typeof description === 'string') {
    parts.push({ type: 'text', text: quoteText(description) });
    rest.delete('description');
  }
  for (const [name, lift] of lists) {
    const blocks = rest.get(name);
    if (!Array.isArray(blocks)) continue;
    rest.delete(name);
    for (const [index, block] of (blocks as readonly Json[]).entries()) {
      const lifted = isJsonObject(block) ? lift(block) : undefined;
      const added = addBlock(lifted, block, pointerTo(name, index));
      if (!added.ok) return added;
    }
  }
  const structured = rest.get('structuredContent');
  if (structured !== undefined) {
    rest.delete('structuredContent');
    const added = add(structured, '/structuredContent');
    if (!added.ok) return added;
  }
  if (rest.size === 0 && parts.length > 0) return ok(parts);
  const added = add(Object.fromEntries(rest), '');
  return added.ok ? ok(parts) : added;
}

/** A content block of MCP: `text`, `image`, `audio` or an embedded `resource`; undefined for anything else. */
function liftBlock(block: JsonObject): Lifted | undefined {
  switch (ownValue(block, 'type')) {
    case 'text':
      return liftText(block, ['type']);
    case 'image':
    case 'audio':
      return liftData(block, 'data', ['type']);
    case 'resource': {
      const resource = ownValue(block, 'resource');
      const lifted = isJsonObject(resource) ? liftResource(resource) : undefined;
      if (lifted === undefined) return undefined;
      return { part: lifted.part, rest: { ...without(block, ['resource']), resource: lifted.rest } };
    }
    default:
      return undefined;
  }
}

/** The contents of a resource: `text` or `blob`, but not both. */
function liftResource(resource: JsonObject): Lifted | undefined {
  if (Object.hasOwn(resource, 'text')) return Object.hasOwn(resource, 'blob') ? undefined : liftText(resource, []);
  return liftData(resource, 'blob', []);
}

/** A message of a prompt: a role and one block. */
function liftMessage(message: JsonObject): Lifted | undefined {
  const content = ownValue(message, 'content');
  const lifted = isJsonObject(content) ? liftBlock(content) : undefined;
  if (lifted === undefined) return undefined;
  const about = Object.keys(lifted.rest).length === 0 ? {} : { content: lifted.rest };
  return { part: lifted.part, rest: { ...without(message, ['content']), ...about } };
}

function liftText(block: JsonObject, told: readonly string[]): Lifted | undefined {
  const text = ownValue(block, 'text');
  if (typeof text !== 'string') return undefined;
  return { part: { type: 'text', text: quoteText(text) }, rest: without(block, ['text', ...told]) };
}

function liftData(block: JsonObject, member: 'data' | 'blob', told: readonly string[]): Lifted | undefined {
  const lifted = liftBytes(block, member);
  return lifted === undefined ? undefined : { part: lifted.part, rest: without(block, [...lifted.told, ...told]) };
}

/** A copy that keeps members called `__proto__`. */
const without = (object: JsonObject, names: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
