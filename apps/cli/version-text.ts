import { isJsonObject } from '../../libs/kernel/canonical-json.js';
import { at, dig, joined, list, table } from './print.js';

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

/** A version's record for a person, with the effects of each operation. */
export function versionLines(view: unknown): string[] {
  const version = isJsonObject(view) ? view : {};
  const operations = dig(version, 'manifest', 'operations');
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
      ['signature', at(version, 'signature', 'result')],
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
    'operations',
    ...table(
      Object.keys(isJsonObject(operations) ? operations : {}).map((name) => [
        `  ${name}`,
        joined(operations, name, 'effects'),
      ]),
    ),
  ];
}

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
