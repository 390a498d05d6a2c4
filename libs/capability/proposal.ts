import { canonicalJson, isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { fingerprintDefinition } from '../kernel/definition-digest.js';
import { digestOf, digestOfBytes, type Digest } from '../kernel/digest.js';
import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { CONNECT, declaredOperations, hasReservedPrefix, mayDeclare, type Definition } from './definition.js';
import type { CapabilityEvent, OperationFacts } from './events.js';
import type { ManifestOperation, OperationNeeds, VersionProposal } from './manifest.js';
import { definitionNameFault, namesFault } from './operation-names.js';

type ProposedFacts = Extract<CapabilityEvent, { type: 'VersionProposed' }>['data'];

/** A checked proposal: the data of its event, and its documents by their plain SHA-256. */
export interface PreparedProposal {
  readonly proposed: ProposedFacts;
  readonly documents: ReadonlyMap<Digest, string>;
}

/** The rules for proposals. Schemas are attacker-controlled. */
export interface ProposalRules {
  /** Answers the reason why a schema cannot be enforced; undefined if it can. */
  whyUnvettable(this: void, schema: Json): string | undefined;
  /** Whether a vetted schema declares an argument. In the pointer, `*` is any member or item. */
  declaresArgument(this: void, schema: Json, pointer: JsonPointer): boolean;
  /** Whether a rule finds spans of a type. */
  isSpanType(this: void, type: string): boolean;
  /** Searches the texts of a definition that a model reads. */
  search(this: void, definition: Definition): Pick<ProposedFacts, 'findings' | 'findingsLeftOut' | 'searchedBy'>;
}

const MAX_NAME_CHARS = 512;

/** Documents by their digest, as they are collected. */
class Documents {
  readonly texts = new Map<Digest, string>();

  keep(document: Json): Digest {
    const text = canonicalJson(document);
    const digest = digestOfBytes(text);
    this.texts.set(digest, text);
    return digest;
  }
}

type Declared = ReturnType<typeof declaredOperations>;

/**
 * Checks what a schema of the request cannot: names are unique and not reserved, and the definition declares the
 * operations. An operation with a schema that cannot be vetted is marked: it needs an exception by name. `raw` is the
 * proposal as it was sent: it is kept, and a repeated request is compared with it.
 */
export function prepareProposal(
  capability: string,
  proposal: VersionProposal,
  raw: JsonObject,
  rules: ProposalRules,
): Result<PreparedProposal, Refusal> {
  const { definition, manifest } = proposal;
  const fingerprint = fingerprintDefinition(definition);
  if (!fingerprint.ok) return malformed(`/definition${fingerprint.error.path}`, fingerprint.error.message);
  const tools = new Set(Object.keys(fingerprint.value.fields.tools));
  const declared = declaredOperations(definition);
  const named = checkNames(proposal, tools, declared);
  if (!named.ok) return named;

  const documents = new Documents();
  const operations: [string, OperationFacts][] = [];
  for (const [name, operation] of manifest.operations) {
    const path = pointerTo('manifest', 'operations', name);
    if (name === CONNECT || !mayDeclare(declared, name))
      return malformed(path, 'the definition declares no such operation');
    if (tools.has(name) && !isSchema(declared.get(name)?.inputSchema))
      return malformed(path, 'the tool declares no input schema');
    const facts = factsOf(operation, declared.get(name), path, documents, rules);
    if (!facts.ok) return facts;
    operations.push([name, facts.value]);
  }

  const { version, source, probe, supplyChain, signature } = proposal;
  const document = (key: string): Digest => documents.keep(ownValue(raw, key) ?? null);
  const proposed = defined({
    capability,
    version,
    source,
    definitionDigest: fingerprint.value.digest,
    probe,
    documents: defined({
      definition: document('definition'),
      manifest: document('manifest'),
      supplyChain: supplyChain === undefined ? undefined : document('supplyChain'),
      signature: signature === undefined ? undefined : document('signature'),
    }),
    operations: Object.fromEntries(operations),
    sensitivity: manifest.sensitivity,
    server: manifest.server,
    ...rules.search(definition),
    requestDigest: digestOf(raw),
  });
  return ok({ proposed, documents: documents.texts });
}

/** Refuses names that are reserved, that a reviewer cannot tell apart, or that are too long. */
function checkNames(
  { definition, manifest }: VersionProposal,
  tools: ReadonlySet<string>,
  declared: Declared,
): Result<undefined, Refusal> {
  for (const name of tools) {
    if (hasReservedPrefix(name))
      return malformed('/definition/tools', 'a tool has the prefix of another kind of operation');
  }
  const fault = definitionNameFault(definition) ?? namesFault('/manifest/operations', [...manifest.operations.keys()]);
  if (fault !== undefined) return malformed(fault.path, fault.message);
  for (const name of declared.keys()) {
    if (name.length > MAX_NAME_CHARS) return malformed('/definition', `a name is longer than ${MAX_NAME_CHARS}`);
  }
  return ok(undefined);
}

/** The facts of one operation; keeps its schemas as documents. `path` is that of the operation in the proposal. */
function factsOf(
  operation: ManifestOperation,
  declared: ReturnType<Declared['get']>,
  path: JsonPointer,
  documents: Documents,
  rules: ProposalRules,
): Result<OperationFacts, Refusal> {
  const { input, output } = schemasOf(operation, declared);
  const unenforced: { arguments?: string; output?: string } = {};
  for (const [kind, schema] of [
    ['arguments', input],
    ['output', output],
  ] as const) {
    const why = schema === undefined ? undefined : rules.whyUnvettable(schema.schema);
    if (why === undefined) continue;
    // The owner can mend a schema of the manifest, but not one of the server.
    if (schema?.owners === true) return malformed(path, `its ${kind} schema is refused: ${why}`);
    unenforced[kind] = why;
  }
  const needs = needsOf(operation, unenforced.arguments === undefined ? input?.schema : undefined, path, rules);
  if (!needs.ok) return needs;
  return ok(
    defined({
      effects: operation.effects,
      arguments: input === undefined ? undefined : documents.keep(input.schema),
      output: output === undefined ? undefined : documents.keep(output.schema),
      unenforced: Object.keys(unenforced).length === 0 ? undefined : unenforced,
      ownName: declared?.ownName === true ? true : undefined,
      returns: operation.returns,
      needs: needs.value,
    }),
  );
}

/**
 * The needs of an operation, as facts. Refuses a pointer that leads to nothing that the schema declares, and a type that
 * no rule finds: the owner believes in a limit that has no effect. Without a schema, any pointer is accepted.
 */
function needsOf(
  { needs }: ManifestOperation,
  schema: Json | undefined,
  path: JsonPointer,
  { declaresArgument, isSpanType }: ProposalRules,
): Result<OperationNeeds | undefined, Refusal> {
  if (needs === undefined) return ok(undefined);
  const named = needs.arguments?.map((each) => (typeof each === 'string' ? { path: each } : each));
  for (const [index, { path: pointer, accepts = [] }] of (named ?? []).entries()) {
    const place = path + pointerTo('needs', 'arguments', index);
    if (schema !== undefined && !declaresArgument(schema, pointer))
      return malformed(place, 'the input schema declares no such argument');
    const unknown = accepts.findIndex((type) => !isSpanType(type));
    if (unknown >= 0)
      return malformed(
        `${place}/accepts/${unknown}`,
        'is a type that no rule finds; docs/reference/detectors.md lists them',
      );
  }
  return ok(defined({ ...needs, arguments: named }));
}

/** A schema that an operation has to fulfil, and whether it is the owner's rather than the server's. */
interface OperationSchema {
  readonly schema: Json;
  readonly owners: boolean;
}

/** The schemas of an operation: those of the definition, or else those of the owner's manifest. */
function schemasOf(
  operation: ManifestOperation,
  declared: { readonly inputSchema?: Json | undefined; readonly outputSchema?: Json | undefined } | undefined,
): { readonly input: OperationSchema | undefined; readonly output: OperationSchema | undefined } {
  const first = (servers: Json | undefined, owners: Json | undefined): OperationSchema | undefined => {
    const schema = servers ?? owners;
    return schema === undefined ? undefined : { schema, owners: servers === undefined };
  };
  return {
    input: first(declared?.inputSchema, operation.argumentsSchema),
    output: first(declared?.outputSchema, operation.outputSchema),
  };
}

const isSchema = (value: Json | undefined): boolean => isJsonObject(value) || typeof value === 'boolean';

function malformed(path: JsonPointer, message: string): Result<never, Refusal> {
  return err(refusal('malformed_request', 'the version cannot be registered', [{ path, message }]));
}
