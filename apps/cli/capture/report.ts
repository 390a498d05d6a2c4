import { hasReservedPrefix } from '../../../libs/capability/definition.js';
import { ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { at, printable, table } from '../print.js';
import type { Observation, Target } from './observe.js';
import type { Provenance } from '../provenance/evidence.js';
import type { LeftOut } from './operations.js';
import type { Registration } from './registration.js';

const MAX_ROWS = 40;

/** The capture for a person: the digest with what it covers, and the proposed effects. */
export function summaryOf(observation: Observation, registration: Registration): string[] {
  const { definition, fingerprint, probe } = observation;
  const { version } = registration;
  const counts = (['tools', 'prompts', 'resourceTemplates', 'resources'] as const)
    .map((list) => `${definition[list]?.length ?? 0} ${list}`)
    .join(', ');
  const says = `${textOf(definition.serverInfo, 'name')} ${textOf(definition.serverInfo, 'version')}`.trim();
  const source = ['type', 'name', 'version']
    .map((part) => at(version.source, part))
    .join(' ')
    .trim();
  return [
    ...table([
      ['capability', `${registration.id}@${version.version}, owned by ${registration.owner}`],
      ['server', `${says === '' ? 'unnamed' : says} (its own word), MCP ${probe.protocolVersion}`],
      ['declares', counts],
      ['definition digest', fingerprint.digest],
      ['source', source],
      ['proves itself by', version.manifest.server.method],
    ]),
    '',
    'Effects proposed from the annotations of the server itself. Correct them in the file: you answer for them.',
    ...effectRows(registration),
  ];
}

function effectRows(registration: Registration): string[] {
  const operations = Object.entries(registration.version.manifest.operations);
  const rows = operations
    .slice(0, MAX_ROWS)
    .map(([name, { effects }]) => [`  ${printable(name, 60)}`, effects.join(', ')]);
  return [...table(rows), ...(operations.length > MAX_ROWS ? [`  … and ${operations.length - MAX_ROWS} more`] : [])];
}

const SECRET_LIKE = /(token|secret|passw|api[-_]?key|credential)/i;

/** Hints for a person before the registration. */
export function hintsOf(target: Target, found: Provenance | undefined, registration: Registration): string[] {
  const { definition, manifest, source } = registration.version;
  const hints: string[] = [];
  const tools = definition.tools ?? [];
  const bare = tools.filter((tool) => ownValue(tool, 'annotations') === undefined).length;
  if (bare > 0)
    hints.push(`${bare} tools carry no annotations: they got the cautious effects read, write, send, modify`);
  const reserved = tools.filter((tool) => hasReservedPrefix(textOf(tool, 'name'))).length;
  if (reserved > 0)
    hints.push(`${reserved} tools have a name that is reserved for other operations: a registration will be refused`);
  if (manifest.server.method === 'none') {
    const why = found === undefined ? '' : `: ${found.note}`;
    hints.push(`nothing proves which server this is${why}`);
    hints.push('a reviewer must accept server_unauthenticated by name, and the version then shows low trust');
  }
  if (manifest.server.method === 'package') {
    if (found !== undefined) hints.push(found.note);
    hints.push('the command line is part of the expectation: a host must start the server with the same one');
  }
  if ('command' in target) {
    if (target.command.some((word) => SECRET_LIKE.test(word))) {
      hints.push(
        'the command line looks as if it held a secret: it stands in the registration; use --env NAME instead',
      );
    }
  } else if (target.url.search !== '') {
    hints.push('the address has a query: it stands in the registration, so it must hold no secret');
  }
  if (source['type'] === 'file') hints.push('the source is a local file: nobody else can tell which release it is');
  return hints.map((hint) => `note: ${printable(hint)}`);
}

/** Lists that the server declares but does not answer. */
export function missingLines({ missing }: Observation): string[] {
  return missing.map(
    (method) => `note: the server declares ${printable(method)} and does not answer it: it counts as empty`,
  );
}

/** Every operation that the manifest lacks, with the reason. None of them can be called. */
export function leftOutLines(leftOut: readonly LeftOut[]): string[] {
  if (leftOut.length === 0) return [];
  return [
    `note: ${leftOut.length} operations are left out of the manifest and cannot be called; they stay in the definition`,
    ...leftOut.map(({ operation, reason }) => `  ${printable(operation, 60)}: ${printable(reason)}`),
  ];
}

function textOf(value: JsonObject | undefined, key: string): string {
  const text = value === undefined ? undefined : ownValue(value, key);
  return typeof text === 'string' ? text : '';
}
