import { canonicalJson, isJsonObject, ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { fingerprintDefinition } from '../kernel/definition-digest.js';
import { digestOf, digestOfBytes, type Digest } from '../kernel/digest.js';
import { pointerTo, type JsonPointer } from '../kernel/pointer.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { CONNECT, declaredOperations, hasReservedPrefix, mayDeclare } from './definition.js';
import type { CapabilityEvent, OperationFacts } from './events.js';
import type { ManifestOperation, VersionProposal } from './manifest.js';
import { definitionNameFault, namesFault } from './operation-names.js';

type ProposedFacts = Extract<CapabilityEvent, { type: 'VersionProposed' }>['data'];

/** What a proposal appends: the event's data, and its documents by their plain SHA-256. */
export interface PreparedProposal {
  readonly proposed: ProposedFacts;
  readonly documents: ReadonlyMap<Digest, string>;
}

/** Why a schema cannot be enforced, in plain words; undefined if it can. The schema is attacker-controlled. */
export type SchemaVetting = (schema: Json) => string | undefined;

const MAX_NAME_CHARS = 512;

/**
 * Checks what shapes alone cannot: names that are unique and not reserved, and operations that the definition declares.
 * An operation whose schema cannot be vetted is marked: it needs an exception by name. `raw` is the proposal as it came, which is what is kept and what a repeat is compared by.
 */
export function prepareProposal(
  capability: string,
  proposal: VersionProposal,
  raw: JsonObject,
  whyUnvettable: SchemaVetting,
): Result<PreparedProposal, Refusal> {
  const { definition, manifest } = proposal;
  const fingerprint = fingerprintDefinition(definition);
  if (!fingerprint.ok) return malformed(`/definition${fingerprint.error.path}`, fingerprint.error.message);
  for (const name of Object.keys(fingerprint.value.fields.tools)) {
    if (hasReservedPrefix(name))
      return malformed('/definition/tools', 'a tool has the prefix of another kind of operation');
  }
  const fault = definitionNameFault(definition) ?? namesFault('/manifest/operations', [...manifest.operations.keys()]);
  if (fault !== undefined) return malformed(fault.path, fault.message);
  const declared = declaredOperations(definition);
  const tools = new Set(Object.keys(fingerprint.value.fields.tools));
  for (const name of declared.keys()) {
    if (name.length > MAX_NAME_CHARS) return malformed('/definition', `a name is longer than ${MAX_NAME_CHARS}`);
  }

  const documents = new Map<Digest, string>();
  const keep = (document: Json): Digest => {
    const text = canonicalJson(document);
    const digest = digestOfBytes(text);
    documents.set(digest, text);
    return digest;
  };
  const operations: [string, OperationFacts][] = [];
  for (const [name, operation] of manifest.operations) {
    const path = pointerTo('manifest', 'operations', name);
    if (name === CONNECT || !mayDeclare(declared, name))
      return malformed(path, 'the definition declares no such operation');
    if (tools.has(name) && !isSchema(declared.get(name)?.inputSchema))
      return malformed(path, 'the tool declares no input schema');
    const { input, output } = schemasOf(operation, declared.get(name));
    const unenforced: { arguments?: string; output?: string } = {};
    for (const [kind, schema] of [
      ['arguments', input],
      ['output', output],
    ] as const) {
      const why = schema === undefined ? undefined : whyUnvettable(schema.schema);
      if (why === undefined) continue;
      // The owner can mend a schema of the manifest, but not one of the server.
      if (schema?.owners === true) return malformed(path, `its ${kind} schema is refused: ${why}`);
      unenforced[kind] = why;
    }
    operations.push([
      name,
      defined({
        effects: operation.effects,
        arguments: input === undefined ? undefined : keep(input.schema),
        output: output === undefined ? undefined : keep(output.schema),
        unenforced: Object.keys(unenforced).length === 0 ? undefined : unenforced,
        ownName: declared.get(name)?.ownName === true ? true : undefined,
      }),
    ]);
  }

  const { version, source, probe, supplyChain, signature } = proposal;
  const document = (key: string): Digest => keep(ownValue(raw, key) ?? null);
  return ok({
    proposed: defined({
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
      requestDigest: digestOf(raw),
    }),
    documents,
  });
}

/** A schema that an operation has to fulfil, and whether it is the owner's rather than the server's. */
interface OperationSchema {
  readonly schema: Json;
  readonly owners: boolean;
}

/** What the definition pins goes first; what declares no schema of its own gets the owner's. */
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
