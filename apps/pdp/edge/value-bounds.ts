import type { BodyLimit } from '../../../libs/contract/operation.js';
import type { ValueBounds } from '../../../libs/kernel/json-values.js';
import type { Settings } from '../settings.js';

type Limits = Pick<Settings['limits'], 'argumentsValues' | 'bodyValues' | 'definitionValues' | 'responseValues'>;

interface Bounds extends Readonly<Record<BodyLimit, ValueBounds>> {
  readonly response: ValueBounds;
  /**
   * Bounds of the JSON in one field of a gRPC message, by the field's name. Any other field has the bounds of a body.
   */
  readonly fields: Readonly<Record<string, ValueBounds>>;
}

const known = new WeakMap<Limits, Bounds>();

/**
 * How many JSON values a body may hold, by its limit in bytes. Definitions, arguments and responses have their own
 * bounds within a body, so that a definition does not count against the arguments.
 */
export function valueBoundsOf(limits: Limits): Bounds {
  const made = known.get(limits) ?? boundsOf(limits);
  known.set(limits, made);
  return made;
}

function boundsOf({ argumentsValues, bodyValues, definitionValues, responseValues }: Limits): Bounds {
  const body = { most: bodyValues };
  const args = { most: argumentsValues };
  const definition = { most: definitionValues };
  const response = { most: responseValues };
  /** A proposal and an authorize request nest the definition one level deeper. */
  const holder = { most: bodyValues, within: { definition } };
  return {
    bodyBytes: body,
    definitionBytes: { most: bodyValues, within: { arguments: args, definition, observed: holder, version: holder } },
    responseBytes: { most: bodyValues, within: { result: response, error: response } },
    response,
    fields: { arguments: args, definition },
  };
}
