import { isJsonObject, type Json } from '../../libs/kernel/canonical-json.js';
import { at, dig, joined, list, printable, table } from './print.js';

/** One line for a person: the version, its status and who proposed it. */
export function versionLine(version: unknown): string {
  const view = isJsonObject(version) ? version : {};
  const operations = dig(view, 'manifest', 'operations');
  const count = isJsonObject(operations) ? `, ${Object.keys(operations).length} operations` : '';
  const by = at(view, 'proposedBy');
  const hosts = joined(view, 'suspendedFor');
  const trust = at(view, 'trust');
  const [line = ''] = table([
    [
      `${at(view, 'capability')}@${at(view, 'version')}`,
      `${at(view, 'status')}${hosts === '' ? '' : `, suspended for ${hosts}`}${count}${by === '' ? '' : `, proposed by ${by}`}${trust === '' ? '' : `, trust ${trust}`}`,
    ],
  ]);
  return line;
}

/** The result, and the key that carries it or that would. */
function signatureText(signature: Json | undefined): string {
  const publisher = at(signature, 'publisher');
  return `${at(signature, 'result')}${publisher === '' ? '' : ` (${publisher}/${at(signature, 'keyId')})`}`;
}

/** A version's record for a person, with the effects of each operation. */
export function versionLines(view: unknown): string[] {
  const version = isJsonObject(view) ? view : {};
  const reviewed = dig(version, 'review');
  return [
    ...table([
      ['version', `${at(version, 'capability')}@${at(version, 'version')}`],
      ['status', at(version, 'status')],
      ['owner', at(version, 'owner')],
      [
        'source',
        [at(version, 'source', 'type'), at(version, 'source', 'name'), at(version, 'source', 'version')].join(' '),
      ],
      ['definition digest', at(version, 'definitionDigest')],
      ['signature', signatureText(dig(version, 'signature'))],
      ['server', at(version, 'manifest', 'server', 'method')],
      ...(at(version, 'trust') === '' ? [] : [['trust', at(version, 'trust')]]),
      ['sensitivity', at(version, 'manifest', 'sensitivity')],
      ['proposed', `${at(version, 'proposedAt')} by ${at(version, 'proposedBy')}`],
      ...(reviewed === undefined
        ? []
        : [
            [
              'review',
              `${at(reviewed, 'verdict')} ${at(reviewed, 'at')} by ${at(reviewed, 'by')}: ${at(reviewed, 'reason')}`,
            ],
            ['exceptions', joined(reviewed, 'exceptions')],
            ...(at(reviewed, 'quarantine') === '' ? [] : [['quarantine', at(reviewed, 'quarantine')]]),
          ]),
    ]),
    ...findingLines(version),
    ...operationLines(version),
  ];
}

/** The findings in the texts that an agent reads, for a reviewer to look at. */
export function findingLines(version: Json): string[] {
  if (dig(version, 'findings') === undefined) return ['findings: the texts were never searched'];
  const rows = list(version, 'findings').map((finding) => {
    const [start, end] = list(finding, 'span');
    const place = `${at(finding, 'path')}${at(finding, 'key') === '' ? '' : ' (name)'}`;
    const span = start === undefined || end === undefined ? '' : `${JSON.stringify(start)}-${JSON.stringify(end)}`;
    return [`  ${at(finding, 'severity')}`, at(finding, 'kind'), at(finding, 'detector'), place, span];
  });
  if (rows.length === 0) return ['findings: none in the texts that an agent reads'];
  const more = at(version, 'findingsLeftOut');
  return ['findings in the texts that an agent reads', ...table(rows), ...(more === '' ? [] : [`  and ${more} more`])];
}

/** Each operation of a version with its effects, and what it may see. */
export function operationLines(version: Json): string[] {
  const operations = dig(version, 'manifest', 'operations');
  const names = Object.keys(isJsonObject(operations) ? operations : {});
  const effects = table(names.map((name) => [`  ${name}`, joined(operations, name, 'effects')]));
  return [
    'operations',
    ...names.flatMap((name, index) => [effects[index] ?? '', ...needLines(dig(operations, name) ?? null)]),
  ];
}

function needLines(operation: Json): string[] {
  const needs = dig(operation, 'needs');
  const bytes = at(needs, 'contextBytes');
  const context = list(needs, 'context').map((source) => at(source));
  const lines = [
    ...(at(operation, 'returns') === '' ? [] : [`returns ${at(operation, 'returns')}`]),
    ...(dig(needs, 'arguments') === undefined ? [] : [`needs of the arguments: ${argumentsText(needs)}`]),
    ...(context.length === 0
      ? []
      : [`needs context of ${context.join(', ')}${bytes === '' ? '' : `, at most ${bytes} bytes`}`]),
  ];
  return lines.map((line) => printable(`    ${line}`, MAX_NEEDS_CHARS));
}

const MAX_NEEDS_CHARS = 4000;

function argumentsText(needs: Json | undefined): string {
  const named = list(needs, 'arguments').map((each) => {
    if (typeof each === 'string') return each === '' ? 'all' : each;
    const limit = at(each, 'maxLength');
    const accepts = joined(each, 'accepts');
    const more = [
      ...(limit === '' ? [] : [`at most ${limit} characters`]),
      ...(accepts === '' ? [] : [`accepts ${accepts}`]),
    ];
    const path = at(each, 'path') === '' ? 'all' : at(each, 'path');
    return more.length === 0 ? path : `${path} (${more.join('; ')})`;
  });
  return named.length === 0 ? 'none' : named.join(', ');
}

/** The warnings of an answer about a version. */
export const warningLines = (answer: Json): string[] =>
  list(answer, 'warnings').map((each) => printable(`warning: ${at(each, 'path')}: ${at(each, 'message')}`, 1000));

/** One line for each version of each capability. */
export function capabilityRows(items: readonly unknown[]): string[] {
  const rows = items.flatMap((item) => {
    const capability = isJsonObject(item) ? item : {};
    return list(capability, 'versions').map((version) => [
      `${at(capability, 'id')}@${at(version, 'version')}`,
      at(version, 'status'),
      at(capability, 'kind'),
      at(capability, 'category'),
      at(capability, 'owner'),
      at(version, 'trust') === '' ? '' : `trust ${at(version, 'trust')}`,
    ]);
  });
  return table(rows);
}
