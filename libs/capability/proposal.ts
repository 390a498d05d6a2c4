import { canonicalJson, isJsonObject, ownValue, type Json, type JsonObject } from '#libs/kernel/canonical-json.js';
import { fingerprintDefinition } from '#libs/kernel/definition-digest.js';
import { digestOf, digestOfBytes, type Digest } from '#libs/kernel/digest.js';
import { pointerTo, type JsonPointer } from '#libs/kernel/pointer.js';
import { refusal, type Refusal } from '#libs/kernel/refusal.js';
import { err, ok, type Result } from '#libs/kernel/result.js';
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

/** Refuses a schema that could hurt whoever validates with it. The schema is attacker-controlled. */
export type SchemaVetting = (schema: Json) => Result<void, { readonly path: JsonPointer; readonly message: string }>;

const MAX_NAME_CHARS = 512;

/**
 * Checks what shapes alone cannot: names that are unique and not reserved, operations that the definition declares, and
 * schemas that can be vetted. `raw` is the proposal as it came, which is what is kept and what a repeat is compared by.
 */
export function prepareProposal(
  capability: string,
  proposal: VersionProposal,
  raw: JsonObject,
  vetSchema: SchemaVetting,
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
    const schemas = schemasOf(operation, declared.get(name));
    for (const [kind, schema] of Object.entries(schemas)) {
      const vetted = vetSchema(schema);
      if (!vetted.ok)
        return malformed(path, `its ${kind} schema is refused at ${vetted.error.path || '/'}: ${vetted.error.message}`);
    }
    const { input, output } = schemas;
    operations.push([
      name,
      {
        effects: operation.effects,
        ...(input === undefined ? {} : { arguments: keep(input) }),
        ...(output === undefined ? {} : { output: keep(output) }),
        ...(declared.get(name)?.ownName === true ? { ownName: true as const } : {}),
      },
    ]);
  }

  const { version, source, probe, supplyChain, signature } = proposal;
  const document = (key: string): Digest => keep(ownValue(raw, key) ?? null);
  return ok({
    proposed: {
      capability,
      version,
      source,
      definitionDigest: fingerprint.value.digest,
      ...(probe === undefined ? {} : { probe }),
      documents: {
        definition: document('definition'),
        manifest: document('manifest'),
        ...(supplyChain === undefined ? {} : { supplyChain: document('supplyChain') }),
        ...(signature === undefined ? {} : { signature: document('signature') }),
      },
      operations: Object.fromEntries(operations),
      sensitivity: manifest.sensitivity,
      server: manifest.server,
      requestDigest: digestOf(raw),
    },
    documents,
  });
}

/** What the definition pins goes first; what declares no schema of its own gets the owner's. */
function schemasOf(
  operation: ManifestOperation,
  declared: { readonly inputSchema?: Json | undefined; readonly outputSchema?: Json | undefined } | undefined,
): { input?: Json; output?: Json } {
  const input = declared?.inputSchema ?? operation.argumentsSchema;
  const output = declared?.outputSchema ?? operation.outputSchema;
  return { ...(input === undefined ? {} : { input }), ...(output === undefined ? {} : { output }) };
}

const isSchema = (value: Json | undefined): boolean => isJsonObject(value) || typeof value === 'boolean';

function malformed(path: JsonPointer, message: string): Result<never, Refusal> {
  return err(refusal('malformed_request', 'the version cannot be registered', [{ path, message }]));
}
