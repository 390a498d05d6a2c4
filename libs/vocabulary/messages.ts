import type { z } from 'zod';

type RawIssue = Parameters<z.core.$ZodErrorMap>[0];

const NOUNS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  nan: 'a number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
};
const MAX_OPTIONS_CHARS = 160;

/**
 * The message about a wrong value, for schemas without a message of their own. It names the need and never quotes the value. Unknown fields are named if their names can be no content.
 */
export function plainMessage(issue: RawIssue): string | undefined {
  if (issue.input === undefined) return 'is required';
  switch (issue.code) {
    case 'invalid_type':
      return `needs ${NOUNS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return optionsText(issue.values);
    case 'too_small':
      return `needs at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `needs at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_union':
      return 'fits none of its forms';
    case 'unrecognized_keys':
      return unknownFieldsText(issue.keys);
    default:
      return undefined;
  }
}

const MAX_NAMED = 4;
/** A name that was misspelt, and no content. */
const PLAIN_NAME = /^[A-Za-z_]{1,32}$/;

function unknownFieldsText(names: readonly string[]): string {
  const plain = names.filter((name) => PLAIN_NAME.test(name)).slice(0, MAX_NAMED);
  if (plain.length === 0) return 'has unknown fields';
  return `has unknown fields: ${plain.join(', ')}${plain.length < names.length ? ' and others' : ''}`;
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' || origin === 'set' || origin === 'map' ? ' items' : '';
}

function optionsText(values: readonly unknown[]): string {
  const options = values.map(String).join(', ');
  if (values.length === 1) return `needs ${options}`;
  return options.length > MAX_OPTIONS_CHARS ? 'needs one of the known words' : `needs one of ${options}`;
}

/** The options of a parse whose errors a caller reads. */
export const PLAIN = { error: plainMessage } as const;
