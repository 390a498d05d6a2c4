import { z } from 'zod';
import { packOf } from '../content/detect/packs.js';
import {
  CallDecided,
  ContextFiltered,
  type DecisionInputs,
  OutcomeRecorded,
  ResponseValidated,
  ServerEvidence,
} from '../calls/events.js';
import { RecordedDiff } from '../capability/diff.js';
import { DriftObserved, VersionProposed } from '../capability/events.js';
import { OperationNeeds } from '../capability/manifest.js';
import { Finding } from '../content/shapes.js';
import { defined } from '../kernel/defined.js';
import { PrincipalAdded } from '../principal/decider.js';
import type { EventOf, EventsOf, KnownEvent, KnownType } from '../streams/catalogue.js';
import { DigestText, Label, NameId } from '../vocabulary/ids.js';
import { Effect, Level } from '../vocabulary/words.js';
import {
  Basis,
  basisList,
  checkList,
  Checks,
  engineList,
  Engines,
  keyed,
  ProbeForm,
  probeForm,
  textOf,
} from './lists.js';

/** A type that is published. Bookkeeping is not. */
export type PublishedType = Exclude<KnownType, EventsOf<'relay' | 'seal'>['type']>;

/** The published form of one event type. `of` makes it from data of the current version. */
interface Form<Data> {
  readonly schema: z.ZodObject;
  of(data: Data): object;
}

type DataOf<Type extends PublishedType> = Extract<KnownEvent, EventOf<Type>>['data'];

const { checks: _checks, basis: _basis, engines: _engines, observed: Observed, ...decided } = CallDecided.shape;

const PublishedCall = z.strictObject({
  ...decided,
  user: z.strictObject({ id: Label, attestedBy: NameId }).optional(),
  basis: Basis,
  checks: Checks,
  engines: Engines,
  // The evidence of the check has this fact as its hint.
  observed: Observed.omit({ equalButForNulls: true }).extend({
    asked: ProbeForm.optional(),
    server: z.strictObject(ServerEvidence.shape),
  }),
});

const callForm: Form<CallDecided> = {
  schema: PublishedCall,
  of: ({ basis, checks, engines, inputs, observed: { asked, equalButForNulls: _, ...observed }, user, ...rest }) => ({
    ...rest,
    ...(inputs === undefined ? {} : { inputs: inputsForm(inputs, engines.pack) }),
    ...(user === undefined ? {} : { user: { id: user, attestedBy: rest.host } }),
    basis: basisList(basis),
    checks: checkList(checks),
    engines: engineList(engines),
    observed: defined({ ...observed, asked: asked === undefined ? undefined : probeForm(asked) }),
  }),
};

/** A host may name categories as it likes, so only types of spans that the rule pack finds leave. */
const spanTypes = (categories: readonly string[], pack: string | undefined): string[] => {
  const known = pack === undefined ? undefined : packOf(pack);
  return categories.filter((category) => known?.levelOf(category) !== undefined);
};

const inputsForm = ({ flow, ...inputs }: DecisionInputs, pack: string | undefined) =>
  defined({
    ...inputs,
    flow: flow?.map((label) => ({ ...label, categories: spanTypes(label.categories, pack) })),
  });

const Operation = z.strictObject({
  operation: Label,
  effects: z.array(Effect),
  arguments: DigestText.optional(),
  output: DigestText.optional(),
  ownName: z.literal(true).optional(),
  unenforced: z.strictObject({ arguments: z.string(), output: z.string() }).partial().optional(),
  returns: Level.optional(),
  needs: OperationNeeds.optional(),
});

const Change = RecordedDiff.shape.changes.element;

/**
 * Types whose recorded data has keys that are data, several types under one name, or text that stays inside. Every other
 * type is published as it is recorded.
 */
export const FORMS: { readonly [Type in PublishedType]?: Form<DataOf<Type>> } = {
  CallDecided: callForm,
  CallRefused: callForm,
  ContextFiltered: {
    schema: ContextFiltered,
    of: ({ items, labels, ...data }) => ({
      ...data,
      items: items.map((item) => ({ ...item, categories: spanTypes(item.categories, data.pack) })),
      labels: labels.map((label) => ({ ...label, categories: spanTypes(label.categories, data.pack) })),
    }),
  },
  ResponseValidated: {
    schema: ResponseValidated.extend({
      findings: z.array(z.strictObject(Finding.omit({ model: true }).shape)),
      engines: Engines.optional(),
    }),
    // Scores mean something to the model alone.
    of: ({ engines, findings, ...data }) =>
      defined({
        ...data,
        findings: findings.map(({ model: _, ...finding }) => finding),
        engines: engines === undefined ? undefined : engineList(engines),
      }),
  },
  OutcomeRecorded: {
    // Of an event of version 1 the digest is a plain one, from which a short text could be guessed.
    schema: OutcomeRecorded.omit({ requestDigest: true }),
    of: ({ requestDigest: _, ...data }) => data,
  },
  VersionProposed: {
    // The findings are for reviewers: `GET /v1/capabilities/{id}/versions/{version}` has them.
    schema: VersionProposed.omit({ findings: true, findingsLeftOut: true, searchedBy: true }).extend({
      operations: z.array(Operation),
      probe: ProbeForm.optional(),
    }),
    of: ({ operations, probe, findings: _found, findingsLeftOut: _more, searchedBy: _rules, ...data }) =>
      defined({
        ...data,
        operations: keyed(operations, 'operation'),
        probe: probe === undefined ? undefined : probeForm(probe),
      }),
  },
  DriftObserved: {
    schema: DriftObserved.extend({
      diff: RecordedDiff.extend({
        changes: z.array(Change.extend({ before: z.string().optional(), after: z.string().optional() })),
      }),
    }),
    of: ({ diff, ...data }) => ({
      ...data,
      diff: { ...diff, changes: diff.changes.map((change) => ({ ...change, ...texts(change) })) },
    }),
  },
  PrincipalAdded: {
    // `host` is a name in every other event. The id of a person stays inside.
    schema: PrincipalAdded.omit({ host: true, user: true }).extend({ rights: PrincipalAdded.shape.host }),
    of: ({ host, user: _, ...data }) => defined({ ...data, rights: host }),
  },
};

const texts = ({ before, after }: z.infer<typeof Change>) =>
  defined({
    before: before === undefined ? undefined : textOf(before),
    after: after === undefined ? undefined : textOf(after),
  });
