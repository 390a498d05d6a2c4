import type { SchemaJson } from '@cedar-policy/cedar-wasm/nodejs';
import { Effect } from '../vocabulary/words.js';

/** The attributes of `context` in every question. */
export const CONTEXT_ATTRIBUTES = ['purpose', 'agent', 'host', 'sensitivity', 'arguments'] as const;

/**
 * The Cedar schema of every question (contract, "Publishers and policies"), made from the vocabulary: the validator
 * finds unknown actions and entity types with it. The actions apply to nothing, so the validator infers no types.
 * Arguments and user attributes are open records, which Cedar 4 calls experimental and refuses in a schema.
 */
export const POLICY_SCHEMA: SchemaJson<string> = {
  '': {
    entityTypes: {
      User: { memberOfTypes: ['Role'] },
      Role: {},
      Operation: { memberOfTypes: ['Capability'] },
      Capability: { memberOfTypes: ['Category'] },
      Category: {},
    },
    actions: Object.fromEntries(Effect.options.map((effect) => [effect, {}])),
  },
};
