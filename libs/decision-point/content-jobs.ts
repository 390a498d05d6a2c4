import { randomBytes, type KeyObject } from 'node:crypto';
import { ResponseRequest, type ContextItem } from '../calls/requests.js';
import type { VersionProposal } from '../capability/manifest.js';
import { prepareProposal, type PreparedProposal, type ProposalRules } from '../capability/proposal.js';
import { readSchema, whyUnvettable } from '../content/schema/schema-vetting.js';
import { validateResponse, type ResponseLimits, type Searching, type ValidatedResponse } from '../content/response.js';
import { searchDefinition } from '../content/definition-search.js';
import { currentRules, warmRules } from '../content/search-rules.js';
import type { SchemaValidator } from '../content/schema/schema-validator.js';
import { refusing, type ContentSource, type FindingKind, type Part } from '../content/shapes.js';
import {
  canonicalJson,
  inCanonicalOrder,
  isJsonObject,
  ownValue,
  type Json,
  type JsonObject,
} from '../kernel/canonical-json.js';
import { CURRENT_PACK, packOf } from '../content/detect/packs.js';
import { declaredBy, declares } from '../content/filter/declared.js';
import { failed } from '../content/filter/filter.js';
import type { FilterResult } from '../content/filter/shapes.js';
import { fingerprinterOf } from '../content/flow/fingerprints.js';
import { blobTexts, shownTexts } from '../content/flow/shown-texts.js';
import { textsOf } from '../content/flow/texts.js';
import type { FilterQuestion } from '../decision/snapshot.js';
import { filterBy } from './filtering.js';
import { defined } from '../kernel/defined.js';
import { digestOfBytes, keyedDigest, type Digest } from '../kernel/digest.js';
import type { ValueBounds } from '../kernel/json-values.js';
import { segmentsOf } from '../kernel/pointer.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import { readStrictJson } from '../kernel/strict-json.js';
import { openPayload, payloadPart, sealParts, type PayloadPart } from '../payloads/payload.js';
import type { Handling } from '../vocabulary/quarantine.js';
import { shapeOf } from '../vocabulary/shape.js';
import type { Level } from '../vocabulary/words.js';
import { requestText } from './call-context.js';
import { MAX_FINGERPRINTS } from './task-flow.js';

/**
 * Work whose cost grows with the content that hosts send. Each job is a function of its input (and of randomness), on
 * whichever thread it runs. The functions throw only on a programming error.
 */

/** A response as received: one text, or each member of a message by itself. */
export type ResponseText =
  | { readonly body: Uint8Array }
  | { readonly taskId: string; readonly result?: Uint8Array | undefined; readonly error?: Uint8Array | undefined };

export interface ReadingLimits {
  readonly maxDepth: number;
  /** Bounds of a whole body. */
  readonly body: ValueBounds;
  /** Bounds of a result or an error. */
  readonly response: ValueBounds;
}

export interface ReadJob {
  readonly kind: 'read';
  readonly text: ResponseText;
  readonly limits: ReadingLimits;
}

/** Reads the request in a text, and refuses it if it exceeds the limits or has another shape. */
export function readResponse({ text, limits }: Omit<ReadJob, 'kind'>): Result<ResponseRequest, Refusal> {
  const { maxDepth, body, response } = limits;
  if ('body' in text) {
    const parsed = text.body.length === 0 ? ok({}) : readStrictJson(text.body, { maxDepth, values: body });
    return parsed.ok ? shapeOf(ResponseRequest, parsed.value) : parsed;
  }
  const members: [string, Json][] = [];
  for (const name of ['result', 'error'] as const) {
    const bytes = text[name];
    if (bytes === undefined) continue;
    // The body itself takes one level of the depth.
    const parsed = readStrictJson(bytes, { maxDepth: maxDepth - 1, values: response }, name);
    if (!parsed.ok) return parsed;
    members.push([name, parsed.value]);
  }
  return shapeOf(ResponseRequest, { taskId: text.taskId, ...Object.fromEntries(members) });
}

/** The facts that a search needs, apart from the rules of this build. */
export interface SearchJob {
  readonly handling: Handling;
  readonly level: Level;
  readonly operations: readonly string[];
  readonly purpose: string;
  /** The payload record of the attempt. Absent at first: few responses hold anything that the request could explain. */
  readonly asked?: { readonly place: string; readonly bytes: Uint8Array } | undefined;
}

/** The rules for one response: its source, its output schema, its limits, its search. */
export interface Validation {
  readonly source: ContentSource;
  /** The pinned output schema as JSON, if there is one. */
  readonly schema?: { readonly digest: Digest; readonly text: string } | undefined;
  readonly limits: ResponseLimits;
  readonly search: SearchJob;
}

export interface ResponseJob extends Omit<ReadJob, 'kind'> {
  readonly kind: 'response';
  /** The request, if this thread has read it already. */
  readonly request?: ResponseRequest | undefined;
  /** The task's key. */
  readonly key: KeyObject;
  /** Absent if nothing will be delivered. */
  readonly validation?: Validation | undefined;
}

/** The parts of a response that are recorded with any verdict. */
export interface ReadResponse {
  readonly requestDigest: Digest;
  readonly rawDigest: Digest;
  readonly raw: PayloadPart;
}

export interface Verdict extends Omit<ValidatedResponse, 'content' | 'contentText'> {
  /** The envelope: the content that the agent may be given, a held one after its release. */
  readonly content?: PayloadPart | undefined;
  /** Fingerprints of the response and of its envelope. Absent if it is rejected. */
  readonly prints?: Float64Array | undefined;
}

/** A verdict that delivers nothing of a response, for one reason. */
export const rejected = (kind: FindingKind, detector: string): Verdict => ({
  verdict: 'rejected',
  findings: [refusing(kind, detector)],
});

/** Reads, canonicalises and validates a response. Emits what it read before it validates. */
export function validate(
  job: ResponseJob,
  validator: SchemaValidator,
  emit: (read: ReadResponse) => void,
): Result<Verdict | undefined, Refusal> {
  const request = job.request === undefined ? readResponse(job) : ok(job.request);
  if (!request.ok) return request;
  // In the order of the record: the response has to validate again with the same result.
  const result = request.value.result && inCanonicalOrder(request.value.result);
  const error = request.value.error && inCanonicalOrder(request.value.error);
  const text = canonicalJson(result ?? error);
  const body = `{"${result === undefined ? 'error' : 'result'}":${text}}`;
  emit({
    requestDigest: keyedDigest(job.key, body),
    rawDigest: digestOfBytes(text),
    raw: payloadPart('raw', body),
  });
  if (job.validation === undefined) return ok(undefined);
  const { source, schema, limits, search } = job.validation;
  const searching = searchingOf(job.key, search);
  if (searching === undefined) return ok(rejected('failure', 'response/exception'));
  const { content, contentText, ...verdict } = validateResponse(
    defined({
      source,
      result,
      error,
      bytes: Buffer.byteLength(text),
      outputSchema:
        schema === undefined ? undefined : { digest: schema.digest, load: () => JSON.parse(schema.text) as Json },
      limits,
      validator,
      boundarySeed: () => randomBytes(16).toString('hex'),
      searching,
    }),
  );
  return ok(
    defined({
      ...verdict,
      content: contentText === undefined ? undefined : payloadPart('validated', contentText),
      prints: content === undefined ? undefined : printsOf(job.key, (result ?? error) as Json, content.parts),
    }),
  );
}

/** Undefined if the record of the attempt cannot be opened: without it, the response cannot be judged. */
function searchingOf(
  key: KeyObject,
  { handling, level, operations, purpose, asked }: SearchJob,
): Searching | undefined {
  const opened = asked === undefined ? undefined : openPayload(key, asked.place, asked.bytes);
  if (opened?.ok === false) return undefined;
  const context = { operations, request: requestText(purpose, opened?.value.parts) };
  return { rules: currentRules(), context, handling, level };
}

export interface SealJob {
  readonly kind: 'seal';
  readonly key: KeyObject;
  readonly place: string;
  readonly parts: readonly PayloadPart[];
}

export const seal = ({ key, place, parts }: SealJob): Uint8Array => sealParts(key, place, parts);

export interface OpenJob {
  readonly kind: 'open';
  readonly key: KeyObject;
  readonly place: string;
  readonly bytes: Uint8Array;
}

/** A response as recorded: the digest of what the server sent, and the envelope as JSON in UTF-8, if there is one. */
export interface OpenedContent {
  readonly rawDigest: Digest;
  readonly content?: Uint8Array;
}

/** Opens the payload record of a response. Undefined if it cannot be opened. */
export function openContent({ key, place, bytes }: OpenJob): OpenedContent | undefined {
  const opened = openPayload(key, place, bytes);
  if (!opened.ok) return undefined;
  const { validated, raw } = opened.value.parts;
  if (!isJsonObject(raw)) return undefined;
  const rawDigest = digestOfBytes(canonicalJson(ownValue(raw, 'result') ?? ownValue(raw, 'error') ?? null));
  return { rawDigest, ...(validated === undefined ? {} : { content: Buffer.from(canonicalJson(validated)) }) };
}

export interface ProposalJob {
  readonly kind: 'proposal';
  readonly capability: string;
  readonly proposal: VersionProposal;
  /** The proposal as received. */
  readonly raw: JsonObject;
}

/** The rules of this build. */
export const PROPOSAL_RULES: ProposalRules = {
  whyUnvettable,
  declaresArgument(schema, pointer) {
    const vetted = readSchema(schema);
    return vetted.ok && declares(declaredBy(vetted.value), segmentsOf(pointer));
  },
  isSpanType: (type) => packOf(CURRENT_PACK)?.levelOf(type) !== undefined,
  search: searchDefinition,
};

/** Fingerprints a proposal, vets its schemas and searches its texts. Its server wrote most of it, and a small schema may cost seconds. */
export const prepare = ({ capability, proposal, raw }: ProposalJob): Result<PreparedProposal, Refusal> =>
  prepareProposal(capability, proposal, raw, PROPOSAL_RULES);

export interface PrintsJob {
  readonly kind: 'prints';
  readonly key: KeyObject;
  readonly arguments: JsonObject;
  /** The content of each context item. */
  readonly context: readonly string[];
  /** The texts that name each context item: its id, source and media type are sent with it. */
  readonly names: readonly (readonly string[])[];
}

/** Fingerprints of the texts of a request, by their places. */
export interface RequestPrints {
  readonly arguments: readonly { readonly ordinals: string; readonly prints: Float64Array }[];
  /** Of each context item. */
  readonly context: readonly Float64Array[];
  /** Of the names of each context item. They are compared with earlier content, and are not remembered. */
  readonly names: readonly Float64Array[];
}

export function requestPrints({ key, arguments: args, context, names }: Omit<PrintsJob, 'kind'>): RequestPrints {
  const fingerprinter = fingerprinterOf(key);
  return {
    arguments: textsOf(args)
      .map(({ ordinals, text }) => ({ ordinals, prints: fingerprinter.of(text) }))
      .filter(({ prints }) => prints.length > 0),
    context: context.map((content) => fingerprinter.ofAll([content], MAX_FINGERPRINTS)),
    names: names.map((each) => fingerprinter.ofAll(each, MAX_FINGERPRINTS)),
  };
}

/**
 * Fingerprints of a response: of its texts, of its bytes that are text, of its objects as JSON, and of all that the agent sees of them in the
 * envelope. One more than a task keeps if there are too many.
 */
export function printsOf(key: KeyObject, value: Json, shown: readonly Part[]): Float64Array {
  const texts = textsOf(value).map(({ text }) => text);
  const structured = isJsonObject(value) ? value['structuredContent'] : undefined;
  if (structured !== undefined) texts.push(JSON.stringify(structured));
  const all = [...texts, ...blobTexts(value), ...shownTexts(shown)];
  return fingerprinterOf(key).ofAll(all, MAX_FINGERPRINTS);
}

export interface EarlierJob {
  readonly kind: 'earlier';
  readonly key: KeyObject;
  readonly records: readonly {
    readonly place: string;
    readonly bytes: Uint8Array;
    readonly is: 'decision' | 'response';
  }[];
}

/** Of one record: the fingerprints of its response, or of each of its context items with their ids. */
/** A context item that was offered, without its text. */
export interface EarlierItem extends Pick<ContextItem, 'id' | 'level' | 'categories'> {
  readonly prints: Float64Array;
}

export interface EarlierPrints {
  readonly response?: Float64Array | undefined;
  readonly context?: readonly EarlierItem[] | undefined;
}

/** Reads earlier content of a task back. Undefined for a record that cannot be opened. */
export function earlierPrints({ key, records }: Omit<EarlierJob, 'kind'>): readonly (EarlierPrints | undefined)[] {
  return records.map(({ place, bytes, is }) => {
    const opened = openPayload(key, place, bytes);
    if (!opened.ok) return undefined;
    const { raw, validated, context } = opened.value.parts;
    if (is === 'response') {
      if (!isJsonObject(raw)) return undefined;
      // The service wrote the envelope, so it has the shape of one.
      const shown = isJsonObject(validated) ? (validated['parts'] as readonly Part[]) : [];
      return { response: printsOf(key, raw['result'] ?? raw['error'] ?? null, shown) };
    }
    const items = (Array.isArray(context) ? context : []) as readonly ContextItem[];
    const printed = (content: string) => fingerprinterOf(key).ofAll([content], MAX_FINGERPRINTS);
    return {
      context: items.map(({ id, level, categories, content }) => ({ id, level, categories, prints: printed(content) })),
    };
  });
}

export interface FilterJob {
  readonly kind: 'filter';
  readonly question: FilterQuestion;
  /** The pinned input schema as JSON, if there is one. */
  readonly schema: string | undefined;
  /** The digest of the rule pack. */
  readonly pack: string;
}

/** Filters a request by the same rules as the deciding thread. */
export function filterApart(
  { question, schema, pack: digest }: Omit<FilterJob, 'kind'>,
  validator: SchemaValidator,
): FilterResult {
  const pack = packOf(digest);
  if (pack === undefined) return failed();
  return filterBy(question, pack, validator, () => JSON.parse(schema ?? 'true') as Json);
}

/** Makes the rules of a search ready. */
export interface WarmJob {
  readonly kind: 'warm';
}

export function warm(): void {
  Array.from(warmRules());
}

export type ContentJob =
  WarmJob | ReadJob | ResponseJob | SealJob | OpenJob | ProposalJob | PrintsJob | EarlierJob | FilterJob;
