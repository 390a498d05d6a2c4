import { isJsonObject, type JsonObject } from '../../libs/kernel/canonical-json.js';
import { UUID_PATTERN } from '../../libs/kernel/ids.js';
import { Effect } from '../../libs/vocabulary/words.js';
import { at, dig } from './print.js';
import { UsageError } from './world.js';

const GRAMMAR =
  'all, capability:x, version:x@1, operation:x/op, publisher:x, publisher-key:x/k1, source:npm:name, category:x, effect:x, host:x or task:<id>';

/** Types of target that name one thing, with the member that holds its name. */
const SIMPLE: Readonly<Record<string, string>> = {
  capability: 'capability',
  publisher: 'publisher',
  source: 'source',
  category: 'category',
  effect: 'effect',
  host: 'host',
  task: 'taskId',
};

/** Reads the text form of a target. Throws `UsageError` for anything else: a misspelt disable must never pass. */
export function parseTarget(text: string): JsonObject {
  if (text === 'all') return { type: 'all' };
  const colon = text.indexOf(':');
  const type = text.slice(0, Math.max(0, colon));
  const rest = text.slice(colon + 1);
  if (colon < 0 || rest === '') throw new UsageError(`a target is one of ${GRAMMAR}`);
  if (type === 'version') {
    const [capability, version] = halves(rest, '@', 'version:capability@version');
    return { type, capability, version };
  }
  if (type === 'operation') {
    const [capability, operation] = halves(rest, '/', 'operation:capability/operation');
    return { type, capability, operation };
  }
  if (type === 'publisher-key') {
    const [publisher, keyId] = halves(rest, '/', 'publisher-key:publisher/key');
    return { type, publisher, keyId };
  }
  const member = Object.hasOwn(SIMPLE, type) ? SIMPLE[type] : undefined;
  if (member === undefined) throw new UsageError(`a target is one of ${GRAMMAR}`);
  if (type === 'effect' && !Effect.safeParse(rest).success) {
    throw new UsageError(`effect: needs one of ${Effect.options.join(', ')}`);
  }
  if (type === 'source' && !/^[a-z]+:./.test(rest))
    throw new UsageError('source: needs a type and a name, as source:npm:name');
  if (type === 'task' && !UUID_PATTERN.test(rest)) throw new UsageError('task: needs the id of a task, a UUID');
  return { type, [member]: rest };
}

/** The text form of a target, or of a directive's target. */
export function targetText(value: unknown): string {
  const object = isJsonObject(value) ? value : {};
  const inner = dig(object, 'target');
  const target = isJsonObject(inner) ? inner : object;
  const type = at(target, 'type');
  if (type === 'version') return `version:${at(target, 'capability')}@${at(target, 'version')}`;
  if (type === 'operation') return `operation:${at(target, 'capability')}/${at(target, 'operation')}`;
  if (type === 'publisher-key') return `publisher-key:${at(target, 'publisher')}/${at(target, 'keyId')}`;
  const member = Object.hasOwn(SIMPLE, type) ? SIMPLE[type] : undefined;
  return member === undefined ? type : `${type}:${at(target, member)}`;
}

function halves(text: string, separator: string, form: string): [string, string] {
  const cut = text.indexOf(separator);
  if (cut <= 0 || cut === text.length - 1) throw new UsageError(`a target like this is written ${form}`);
  return [text.slice(0, cut), text.slice(cut + 1)];
}
