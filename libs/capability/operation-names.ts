import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
import { escapedText, hasUnseen, lookOf } from '../vocabulary/lookalikes.js';
import { textOf, type Definition } from './definition.js';

/** A fault of a declared name, and its place. */
interface NameFault {
  readonly path: JsonPointer;
  readonly message: string;
}

/**
 * The first name of a definition that a reviewer could not tell from another, or could not see at all: an empty one, one
 * with invisible characters, and two of one kind that look the same. Live resources are not checked: the manifest
 * names those that can be read (`namesFault`). Names are attacker-controlled: messages escape invisible characters.
 */
export function definitionNameFault(definition: Definition): NameFault | undefined {
  const named = (kind: 'tools' | 'prompts' | 'resourceTemplates', key: string) =>
    namesFault(
      pointerTo('definition', kind),
      (definition[kind] ?? []).map((item) => textOf(item, key)),
    );
  return (
    named('tools', 'name') ??
    named('prompts', 'name') ??
    named('resourceTemplates', 'uriTemplate') ??
    namesFault(
      pointerTo('definition', 'files'),
      (definition.files ?? []).map(({ path }) => path),
    )
  );
}

/** The same for a list of names of one kind. */
export function namesFault(path: JsonPointer, names: readonly string[]): NameFault | undefined {
  const byLook = new Map<string, string>();
  for (const name of names) {
    if (name.trim() === '') return { path, message: 'a name is empty' };
    if (hasUnseen(name) || name.trim() !== name)
      return { path, message: `the name "${escapedText(name)}" holds characters that nobody sees` };
    const look = lookOf(name);
    const other = byLook.get(look);
    if (other !== undefined && other !== name)
      return { path, message: `the names "${other}" and "${name}" look the same: ${codesOf(name)}` };
    byLook.set(look, name);
  }
  return undefined;
}

/** The characters beyond ASCII by their code points, which tell two alike names apart. */
const codesOf = (name: string): string =>
  Array.from(name)
    .filter((character) => character > '\u007f')
    .map((character) => `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`)
    .join(' ');
