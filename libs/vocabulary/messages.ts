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
 * The message about a wrong value, for schemas without a message of their own. It names the need and never quotes the value.
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
      return 'has unknown fields';
    default:
      return undefined;
  }
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
