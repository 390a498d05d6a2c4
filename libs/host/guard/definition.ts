import { randomBytes } from 'node:crypto';
import { textOf } from '../../capability/definition.js';
import { operationsReading } from '../../capability/resource-uri.js';
import { ownValue, type JsonObject } from '../../kernel/canonical-json.js';
import { fingerprintDefinition } from '../../kernel/definition-digest.js';
import type { McpClient } from '../../mcp/client.js';
import { readDefinition } from '../../mcp/definition.js';
import { traceparentIn, type Exchange } from '../../mcp/exchange.js';
import { replyOf } from '../../mcp/message.js';
import { covers } from '../../task/scope.js';
import { Effects, type RegisteredVersion, type Task } from '../service/answers.js';
import { ServiceError } from '../service/client.js';
import type { Effect } from '../../vocabulary/words.js';
import { asEvidence } from './evidence.js';

/** Everything that a server declares, as it was sent, and its digest. */
export interface ObservedDefinition {
  readonly definition: object;
  readonly digest: string;
}

/** Reads what a connected server declares. */
export type ReadDefinition = (signal: AbortSignal) => Promise<ObservedDefinition>;

/** Reads all lists over an exchange. Rejects with `DefinitionFailure`, or with the client's error if no answer comes. */
export const definitionReader =
  (client: McpClient<never>, exchange: Exchange, forget: (traceparent: string) => void): ReadDefinition =>
  async (signal) => {
    const greeted = {
      serverInfo: client.getServerVersion() as JsonObject | undefined,
      capabilities: (client.getServerCapabilities() ?? {}) as JsonObject,
      instructions: client.getInstructions(),
    };
    const traceId = randomBytes(16).toString('hex');
    const { definition, fingerprint } = await readDefinition(greeted, async (method, params) => {
      const traceparent = traceparentIn(traceId);
      const { answer, error } = await exchange({ method, params }, traceparent, signal);
      forget(traceparent);
      if (answer === undefined) throw error;
      return replyOf(answer);
    });
    return { definition, digest: fingerprint.digest };
  };

/**
 * The definition that an agent sees: the pinned one, reduced to the scope of its task. A text with a finding of severity
 * high is shown as evidence.
 */
export interface ShownDefinition {
  readonly instructions: string | undefined;
  readonly tools: readonly JsonObject[];
  readonly prompts: readonly JsonObject[];
  readonly resourceTemplates: readonly JsonObject[];
  /** URIs of the resources that the task may read one by one. */
  readonly resources: readonly string[];
}

/** A pinned version as one task may use it. */
export interface PinnedVersion {
  readonly shown: ShownDefinition;
  /** The effect of the operation; undefined if it has several or none. */
  effectOf(operation: string): Effect | undefined;
  /**
   * The operation by which a resource is read, over the whole manifest: its own, else a template that matches, one in
   * scope first. A template never replaces an operation that is out of scope or disabled. Undefined if none reads it.
   */
  readerOf(uri: string): string | undefined;
}

/** Throws a `ServiceError` if the registered definition is not the one that the task pinned. */
export function pinnedFor(
  { definition, manifest, findings }: RegisteredVersion,
  digest: string,
  scope: Readonly<Task['scope']>,
): PinnedVersion {
  const fingerprint = fingerprintDefinition(definition);
  if (!fingerprint.ok || fingerprint.value.digest !== digest)
    throw new ServiceError('unintelligible', 'the registered definition is not the pinned one');
  const effectsOf = (operation: string): readonly Effect[] | undefined =>
    Effects.safeParse(ownValue(manifest.operations, operation)).data?.effects;
  const isInScope = (operation: string): boolean => {
    const effects = effectsOf(operation);
    return effects !== undefined && scope.some((entry) => covers(entry, operation, effects));
  };
  const cut = (items: readonly JsonObject[] | undefined, prefix: string, key: string) =>
    (items ?? []).filter((item) => isInScope(`${prefix}${textOf(item, key)}`));
  const evidence = asEvidence(definition, findings, randomBytes(16).toString('hex'));
  return {
    shown: {
      instructions: evidence.instructions,
      tools: cut(evidence.tools, '', 'name'),
      prompts: cut(evidence.prompts, 'prompt:', 'name'),
      resourceTemplates: cut(evidence.resourceTemplates, 'template:', 'uriTemplate'),
      resources: Object.keys(manifest.operations)
        .filter((operation) => operation.startsWith('resource:') && isInScope(operation))
        .map((operation) => operation.slice('resource:'.length)),
    },
    effectOf(operation) {
      const effects = effectsOf(operation);
      return effects?.length === 1 ? effects[0] : undefined;
    },
    readerOf(uri) {
      const readers = operationsReading(uri, manifest.operations);
      return readers.find(isInScope) ?? readers[0];
    },
  };
}
