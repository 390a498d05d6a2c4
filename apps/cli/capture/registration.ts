import { userInfo } from 'node:os';
import { ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import type { Effect, Kind, Level } from '../../../libs/vocabulary/words.js';
import { CaptureFailure } from './failure.js';
import type { ServerDefinition } from '../../../libs/mcp/definition.js';
import type { Observation, Target } from './observe.js';
import { proposeOperations, type LeftOut } from './operations.js';
import type { Provenance, Source } from '../provenance/evidence.js';

/** The body of `POST /v1/capabilities`, as far as a capture can fill it. */
export interface Registration {
  readonly id: string;
  readonly kind: Kind;
  readonly category: string;
  readonly owner: string;
  readonly publishers?: readonly string[];
  readonly version: VersionProposal;
}

export interface VersionProposal {
  readonly version: string;
  readonly source: JsonObject;
  readonly definition: ServerDefinition;
  readonly probe: Observation['probe'] & { readonly credentialScope?: string };
  readonly manifest: {
    readonly operations: Readonly<Record<string, { readonly effects: readonly Effect[] }>>;
    readonly sensitivity: Level;
    readonly server: ServerExpectation;
  };
  readonly supplyChain?: JsonObject;
}

export type ServerExpectation =
  | { readonly method: 'package'; readonly integrity: string; readonly command: string }
  | { readonly method: 'tls'; readonly url: string; readonly spki: string }
  | { readonly method: 'none' };

/** Facts that a person states about the capability. The rest is found or proposed. */
export interface Given {
  readonly id?: string | undefined;
  readonly kind: Kind;
  readonly category: string;
  readonly owner?: string | undefined;
  readonly version?: string | undefined;
  readonly sensitivity: Level;
  readonly credentialScope?: string | undefined;
}

export interface ProposedRegistration {
  readonly registration: Registration;
  /** Operations that the manifest lacks. */
  readonly leftOut: readonly LeftOut[];
}

const MAX_COMMAND_CHARS = 4096;

export function registrationOf(
  target: Target,
  observation: Observation,
  found: Provenance | undefined,
  given: Given,
): ProposedRegistration {
  const { definition, probe } = observation;
  const ownName = textOf(definition.serverInfo, 'name');
  const ownVersion = textOf(definition.serverInfo, 'version');
  const supplyChain = supplyChainOf(found);
  const { operations, leftOut } = proposeOperations(definition);
  const registration: Registration = {
    id: given.id ?? nameFrom(nameOf(found?.source) ?? ownName ?? found?.source?.name ?? 'captured'),
    kind: given.kind,
    category: given.category,
    owner: given.owner ?? userInfo().username,
    version: defined({
      version: given.version ?? versionFrom(releaseOf(found?.source) ?? ownVersion ?? '0'),
      source: sourceOf(target, found),
      definition,
      probe: given.credentialScope === undefined ? probe : { ...probe, credentialScope: given.credentialScope },
      manifest: {
        operations,
        sensitivity: given.sensitivity,
        server: expectationOf(target, observation, found),
      },
      supplyChain,
    }),
  };
  return { registration, leftOut };
}

function sourceOf(target: Target, found: Provenance | undefined): JsonObject {
  if ('url' in target) return { type: 'http', name: target.url.host, url: target.url.href };
  return { ...(found?.source ?? { type: 'file', name: target.command[0] ?? '' }) };
}

/** The name of a package, or the last part of an image's name. A file's name says less than the server's own name. */
function nameOf(source: Source | undefined): string | undefined {
  if (source === undefined || (source.type === 'file' && source.version === undefined)) return undefined;
  return source.type === 'oci' ? source.name.split('/').at(-1) : source.name;
}

/** The release that a source names; `latest` names none. */
function releaseOf(source: Source | undefined): string | undefined {
  return source?.version === 'latest' ? undefined : source?.version;
}

function expectationOf(target: Target, seen: Observation, found: Provenance | undefined): ServerExpectation {
  if ('url' in target) {
    return seen.spki === undefined ? { method: 'none' } : { method: 'tls', url: target.url.href, spki: seen.spki };
  }
  if (found?.integrity === undefined) return { method: 'none' };
  return { method: 'package', integrity: found.integrity, command: commandLine(target.command) };
}

/** The command line as one text that a shell would read back as the same words. */
export function commandLine(command: readonly string[]): string {
  const quoted = command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`));
  const line = quoted.join(' ');
  if (line.length <= MAX_COMMAND_CHARS) return line;
  throw new CaptureFailure('usage', `a command line of over ${MAX_COMMAND_CHARS} characters cannot be registered`);
}

function supplyChainOf(found: Provenance | undefined): JsonObject | undefined {
  if (found?.lock === undefined) return undefined;
  return defined({
    repository: found.repository,
    lockDigest: found.lock.digest,
    dependencies: found.lock.dependencies.map((one) => ({ ...one })),
  });
}

function textOf(value: JsonObject | undefined, key: string): string | undefined {
  const text = value === undefined ? undefined : ownValue(value, key);
  return typeof text === 'string' && text !== '' ? text : undefined;
}

/** A capability id made of a package's or a server's own name. */
function nameFrom(name: string): string {
  const plain = name.toLowerCase().replace(/^@[^/]*\//, '');
  const id = plain
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .slice(0, 64)
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return id === '' ? 'captured' : id;
}

function versionFrom(version: string): string {
  const plain = version.replaceAll(/[^0-9A-Za-z.+_-]/g, '-').slice(0, 64);
  return /^[0-9A-Za-z]/.test(plain) ? plain : '0';
}
