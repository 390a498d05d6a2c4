import { ownValue, type Json, type JsonObject } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import { CURRENT_PACK, packOf, type Pack } from '../content/detect/packs.js';
import { failed } from '../content/filter/filter.js';
import type { FilterResult } from '../content/filter/shapes.js';
import { createSchemaValidator, type SchemaValidator } from '../content/schema/schema-validator.js';
import type { CallDecided } from '../calls/events.js';
import type { Call } from '../decision/call.js';
import type { Decide } from '../decision/decide.js';
import { CURRENT_DECIDER, deciders, type EngineRules } from '../decision/deciders/registry.js';
import { namedThingErrors } from '../decision/named-thing.js';
import type { Engines, FilterQuestion, Snapshot } from '../decision/snapshot.js';
import type { LogReading } from '../event-log/port.js';
import { PolicyEngine, type AuthorityAnswer, type AuthorityRequest } from '../policy/cedar.js';
import { readJson, readText } from '../event-log/blobs.js';
import { withoutOwnNames } from './argument-errors.js';
import { filterBy } from './filtering.js';

/** Limit of compiled schemas, and of their sources, that are kept: the most recently used ones. */
const MAX_SCHEMAS = 2000;
/** Limit of compiled schemas that are kept to replay old records. */
const MAX_EARLIER = 50;
/** Limit of schema texts that are kept for other threads. */
const MAX_TEXTS = 200;

/** The answer if this build does not have the Cedar version that a record names. */
const NO_ENGINE: AuthorityAnswer = { outcome: 'error', determining: [] };

/** A question that belongs to no call, to warm the engine up. */
const NOBODY: AuthorityRequest = {
  user: { id: '', roles: [], attributes: {} },
  effect: 'read',
  capability: '',
  category: '',
  operation: '',
  context: { purpose: '', agent: '', host: '', sensitivity: 'public', arguments: {} },
};

/** Versions of the deciding software, as a record names them. */
export type EngineVersions = CallDecided['engines'];

/** The rules that replay one record: its own decider, with engines that follow that decider's rules. */
export interface RulesOfThen {
  readonly decide: Decide;
  /** For a replay, these engines cache nothing: it must not confirm a wrong answer from a cache. */
  readonly engines: Engines;
  /** The Cedar version that the record names. Undefined if this build does not have it. */
  readonly policies: PolicyEngine | undefined;
}

/**
 * `asked`: Cedar evaluates each question. `remembered`: an earlier answer to the same question counts, for evidence that
 * claims nothing about a replay.
 */
export type PolicyAnswers = 'asked' | 'remembered';

/** Documents that must be loaded before a decision. */
export interface MissingDocuments {
  /** The engine that evaluates the set. */
  readonly policies: PolicyEngine | undefined;
  readonly set: Digest | undefined;
  readonly schema: Digest | undefined;
}

/** The engines of decisions: policies and schemas, loaded from their blobs when first needed, then kept. */
export class DecisionEngines {
  private readonly policies: PolicyEngine;
  /** Cedar engines by version. */
  private readonly cedars: ReadonlyMap<string, PolicyEngine>;
  /** The digest of the rule pack of new decisions. */
  readonly pack = currentPack().digest;
  /** The versions that decide new calls, as their records name them. */
  readonly versions: EngineVersions;
  private readonly schemas = new Map<Digest, Json>();
  private readonly schemaTexts = new Map<Digest, string>();
  readonly validator: SchemaValidator = createSchemaValidator({ maxCompiled: MAX_SCHEMAS });
  /** Validates for records whose rules divide doubles. */
  private readonly validatorOfDoubles = createSchemaValidator({ maxCompiled: MAX_EARLIER, multiples: 'doubles' });

  /**
   * `earlier` are engines of other Cedar versions, to replay their records. None exists today. A record of another
   * version than the installed one is `engine_gone`, because Cedar does not promise equal answers across versions.
   */
  constructor(
    private readonly log: Pick<LogReading, 'blob'>,
    earlier: readonly PolicyEngine[] = [],
  ) {
    this.policies = new PolicyEngine();
    this.cedars = new Map([...earlier, this.policies].map((policies) => [policies.version, policies]));
    this.versions = { cedar: this.policies.version, decider: CURRENT_DECIDER, pack: this.pack };
  }

  /** The engines of a new decision whose documents are loaded: synchronous, and functions of their arguments alone. */
  readonly engines: Engines = {
    authority: (set, request) => this.policies.evaluate(set, request),
    named: namedThingErrors,
    arguments: (schema, value) => this.invalid(schema, value, this.validator, 'hidden', currentPack()),
    filter: (question) => this.filter(question, currentPack(), this.validator),
  };

  /**
   * The rules that replay a record. Undefined if this build does not have the record's decider, or if the record names
   * an engine of an unknown kind.
   */
  rulesOf(
    { decider, cedar, pack: packDigest, ...others }: EngineVersions,
    answers: PolicyAnswers = 'asked',
  ): RulesOfThen | undefined {
    const version = deciders[decider];
    const pack = packDigest === undefined ? undefined : packOf(packDigest);
    if (version === undefined || Object.keys(others).length > 0) return undefined;
    if (packDigest !== undefined && pack === undefined) return undefined;
    const policies = this.cedars.get(cedar);
    return { decide: version.decide, engines: this.enginesBy(version.engineRules, policies, pack, answers), policies };
  }

  private enginesBy(
    { namedThings, nulls, multiples, ownNames }: EngineRules,
    policies: PolicyEngine | undefined,
    pack: Pack | undefined,
    answers: PolicyAnswers,
  ): Engines {
    const validator = multiples === 'doubles' ? this.validatorOfDoubles : this.validator;
    // Answers are remembered for the present rules alone.
    const remembers = answers === 'remembered' && nulls === 'shown';
    return {
      authority: (set, request) =>
        (remembers ? policies?.evaluate(set, request) : policies?.ask(set, request, nulls)) ?? NO_ENGINE,
      named: namedThings === 'compared' ? namedThingErrors : () => [],
      arguments: (schema, value) => this.invalid(schema, value, validator, ownNames, pack),
      filter: (question) => (pack === undefined ? failed() : this.filter(question, pack, validator)),
    };
  }

  private invalid(
    schema: Digest,
    value: JsonObject,
    validator: SchemaValidator,
    ownNames: EngineRules['ownNames'],
    pack: Pack | undefined,
  ): ReturnType<Engines['arguments']> {
    const load = () => this.schema(schema);
    const result = validator.validate(schema, load, value);
    return ownNames === 'shown' ? result : withoutOwnNames(result, schema, load, pack);
  }

  private filter(question: FilterQuestion, pack: Pack, validator: SchemaValidator): FilterResult {
    return filterBy(question, pack, validator, (schema) => this.schema(schema));
  }

  /** The documents that a new decision needs and that are not loaded yet. Undefined if all are loaded. */
  missing(snapshot: Snapshot, call: Pick<Call, 'capability' | 'version' | 'operation'>): MissingDocuments | undefined {
    return this.missingFrom(this.policies, snapshot, call);
  }

  /** The documents that a replay of a record needs and that are not loaded yet. */
  missingFor(rules: RulesOfThen, snapshot: Snapshot, call: Call): MissingDocuments | undefined {
    return this.missingFrom(rules.policies, snapshot, call);
  }

  private missingFrom(
    policies: PolicyEngine | undefined,
    snapshot: Snapshot,
    call: Pick<Call, 'capability' | 'version' | 'operation'>,
  ): MissingDocuments | undefined {
    const active = snapshot.policySet.active?.cedar;
    const version = call.version ?? snapshot.task?.pins.get(call.capability)?.version ?? '';
    const operations = snapshot.capability?.versions.get(version)?.operations ?? {};
    const argumentsSchema = ownValue(operations, call.operation)?.arguments;
    const set = active !== undefined && policies?.knows(active) === false ? active : undefined;
    const schema = argumentsSchema !== undefined && !this.schemas.has(argumentsSchema) ? argumentsSchema : undefined;
    return set === undefined && schema === undefined ? undefined : { policies, set, schema };
  }

  /** Loads the missing documents. Throws `LogUnavailable`. */
  async load({ policies, set, schema }: MissingDocuments): Promise<void> {
    if (set !== undefined) policies?.load(set, await readText(this.log, set));
    if (schema !== undefined) await this.loadSchema(schema);
  }

  /**
   * Loads a policy set and asks it one question, so that the engine's first-use work does not delay the first call.
   * Never throws: a set that cannot be loaded now is loaded, or refused, when a call needs it.
   */
  async warm(set: Digest | undefined): Promise<void> {
    if (set === undefined) return;
    try {
      await this.load({ policies: this.policies, set, schema: undefined });
      this.policies.evaluate(set, NOBODY);
    } catch {
      // The first call that needs the set fails, and says why.
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

  /** The text of a schema as recorded. Throws `LogUnavailable`. */
  async schemaText(digest: Digest): Promise<string> {
    const text = this.schemaTexts.get(digest) ?? (await readText(this.log, digest));
    this.schemaTexts.delete(digest);
    this.schemaTexts.set(digest, text);
    if (this.schemaTexts.size > MAX_TEXTS) this.schemaTexts.delete(this.schemaTexts.keys().next().value as Digest);
    return text;
  }

  private schema(digest: Digest): Json {
    const schema = this.schemas.get(digest);
    if (schema === undefined) throw new Error('the schema has not been loaded');
    return schema;
  }
}

/** The pack of new decisions. Throws if it is missing, which no build can be released with. */
function currentPack(): Pack {
  const pack = packOf(CURRENT_PACK);
  if (pack === undefined) throw new Error('the current rule pack is missing');
  return pack;
}
