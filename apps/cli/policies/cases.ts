import { z } from 'zod';
import { parse } from 'yaml';
import { ApprovalGrade, Effect, Level } from '../../../libs/vocabulary/words.js';

const Attributes = z.record(z.string(), z.json());

/** A question to a policy set, as a decision asks it: once for each effect, and all must be allowed. */
const Question = z.strictObject({
  user: z.strictObject({
    id: z.string().min(1),
    roles: z.array(z.string()).default([]),
    attributes: Attributes.default({}),
  }),
  effects: z.array(Effect).min(1),
  capability: z.string().min(1),
  category: z.string().min(1),
  operation: z.string().min(1),
  purpose: z.string().default(''),
  agent: z.string().default(''),
  host: z.string().default(''),
  sensitivity: Level.default('internal'),
  arguments: Attributes.default({}),
});
export type Question = z.infer<typeof Question>;

const Case = z.strictObject({
  name: z.string().min(1),
  question: Question,
  /** `error` says that a policy cannot be evaluated. Such a call is denied with `policy_error`. */
  decision: z.enum(['allow', 'deny', 'error']),
  /** The determining policies, as the `rule` of an answer names them; not compared if absent. */
  rule: z.string().optional(),
  /** The grade of the approval that an allow needs, or `none`; not compared if absent. */
  approval: z.enum([...ApprovalGrade.options, 'none']).optional(),
});
export type Case = z.infer<typeof Case>;

/** A file of cases, with the policies that answer them. */
const CaseFile = z.strictObject({
  /** A Cedar file, relative to the file of cases. */
  policies: z.string().min(1),
  cases: z.array(Case).min(1),
});
export type CaseFile = z.infer<typeof CaseFile>;

/** Reads a file of cases. Throws an error whose message is one line for a person. */
export function parseCases(text: string): CaseFile {
  const read = CaseFile.safeParse(parse(text, { uniqueKeys: true }));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new Error(`${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'is not understood'}`);
}
