import { ownValue, type Json } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import { createSchemaValidator, type SchemaValidator } from '../content/schema-validator.js';
import type { Call } from '../decision/call.js';
import { namedThingErrors } from '../decision/named-thing.js';
import type { Engines, Snapshot } from '../decision/snapshot.js';
import type { EventLog } from '../event-log/port.js';
import { PolicyEngine, type AuthorityRequest } from '../policy/cedar.js';
import { readJson, readText } from '../event-log/blobs.js';

/** Compiled schemas and their sources that are kept: the ones used last. */
const MAX_SCHEMAS = 2000;
/** Compiled schemas that are kept to decide old records again. */
const MAX_EARLIER = 50;
/** Texts of schemas that are kept for other threads. */
const MAX_TEXTS = 200;

/** A question that is no call's. */
const NOBODY: AuthorityRequest = {
  user: { id: '', roles: [], attributes: {} },
  effect: 'read',
  capability: '',
  category: '',
  operation: '',
  context: { purpose: '', agent: '', host: '', sensitivity: 'public', arguments: {} },
};

/** What decisions compute with: policies and schemas, loaded from their blobs when first needed and kept. */
export class DecisionEngines {
  private readonly policies = new PolicyEngine();
  private readonly schemas = new Map<Digest, Json>();
  private readonly schemaTexts = new Map<Digest, string>();
  readonly validator: SchemaValidator = createSchemaValidator({ maxCompiled: MAX_SCHEMAS });
  /** For records of decider 1. */
  private readonly earlierValidator = createSchemaValidator({ maxCompiled: MAX_EARLIER, multiples: 'doubles' });

  constructor(private readonly log: EventLog) {}

  /** For a decision whose documents are loaded: synchronous, and a function of its arguments alone. */
  readonly engines: Engines = {
    // The memory holds answers by the rules of today alone.
    authority: (set, request, decider) =>
      decider === 1 ? this.policies.ask(set, request, 'hidden') : this.policies.evaluate(set, request),
    named: namedThingErrors,
    arguments: (schema, value, decider) =>
      (decider === 1 ? this.earlierValidator : this.validator).validate(schema, () => this.schema(schema), value),
  };

  /** The same engines without the memory of policy answers: a replay must not confirm a wrong answer from memory. */
  readonly unremembered: Engines = {
    ...this.engines,
    authority: (set, request, decider) => this.policies.ask(set, request, decider === 1 ? 'hidden' : 'shown'),
  };

  /** Loads what a decision will ask for. Undefined where everything is there, so that the usual case does not wait. */
  prepare(snapshot: Snapshot, call: Pick<Call, 'capability' | 'version' | 'operation'>): Promise<void> | undefined {
    const set = snapshot.policySet.active?.cedar;
    const version = call.version ?? snapshot.task?.pins.get(call.capability)?.version ?? '';
    const operations = snapshot.capability?.versions.get(version)?.operations ?? {};
    const schema = ownValue(operations, call.operation)?.arguments;
    const missingSet = set !== undefined && !this.policies.knows(set) ? set : undefined;
    const missingSchema = schema !== undefined && !this.schemas.has(schema) ? schema : undefined;
    if (missingSet === undefined && missingSchema === undefined) return undefined;
    return this.load(missingSet, missingSchema);
  }

  /**
   * Loads a policy set and asks it something, so that the first call after a start need not wait for what an engine does
   * only once. Never throws: what cannot be loaded now is loaded, or refused, when a call needs it.
   */
  async warm(set: Digest | undefined): Promise<void> {
    if (set === undefined) return;
    try {
      await this.load(set, undefined);
      this.policies.evaluate(set, NOBODY);
    } catch {
      // A call will say so, where somebody hears it.
    }
  }

  /** Loads a schema for `validator`. Throws `LogUnavailable`. */
  async loadSchema(digest: Digest): Promise<Json> {
    const schema = this.schemas.get(digest) ?? (await readJson<Json>(this.log, digest));
    this.schemas.delete(digest);
    this.schemas.set(digest, schema);
    if (this.schemas.size > MAX_SCHEMAS) this.schemas.delete(this.schemas.keys().next().value as Digest);
    return schema;
  }

  /** A schema as it was recorded. Throws `LogUnavailable`. */
  async schemaText(digest: Digest): Promise<string> {
    const text = this.schemaTexts.get(digest) ?? (await readText(this.log, digest));
    this.schemaTexts.delete(digest);
    this.schemaTexts.set(digest, text);
    if (this.schemaTexts.size > MAX_TEXTS) this.schemaTexts.delete(this.schemaTexts.keys().next().value as Digest);
    return text;
  }

  private async load(set: Digest | undefined, schema: Digest | undefined): Promise<void> {
    if (set !== undefined) this.policies.load(set, await readText(this.log, set));
    if (schema !== undefined) await this.loadSchema(schema);
  }

  private schema(digest: Digest): Json {
    const schema = this.schemas.get(digest);
    if (schema === undefined) throw new Error('the schema has not been loaded');
    return schema;
  }
}
