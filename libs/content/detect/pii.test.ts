import assert from 'node:assert/strict';
import { RE2JS } from 're2js';
import { test } from '../../../test/support/testing.js';
import pii from '../packs/1/pii.json' with { type: 'json' };
import { detectorOf } from './detector.js';
import { CURRENT_PACK, packOf } from './packs.js';
import { costOf } from './pattern-cost.js';
import { RuleFile } from './rules.js';
import { expanded } from './scanner.js';

const file = RuleFile.parse(pii);
const pack = packOf(CURRENT_PACK);
assert.ok(pack);

/**
 * Texts of each kind, the number between `[[` and `]]`. The numbers are examples that the authorities or the articles on the
 * formats publish, or are made by their rules.
 */
const FOUND: Readonly<Record<string, readonly string[]>> = {
  card: [
    '[[4111111111111111]]',
    '[[5555 5555 5555 4444]] exp 12/27',
    '[[3782-822463-10005]]',
    '[[2223 0031 2200 3222]]',
    'maestro card [[5018 0000 0009]]',
    'debit card [[4000000000000000006]]',
    'card [[4000 0000 0000 0000 006]]',
    '[[4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1]]',
    '12 [[4111 1111 1111 1111]]',
  ],
  iban: ['[[GB82 WEST 1234 5698 7654 32]] is mine', '[[DE89370400440532013000]]', '[[gb82west12345698765432]]'],
  email: [
    '<[[ann.lee+x@mail.example.org]]>',
    "mail [[o'neil@example.co.uk]].",
    '[[root@[192.0.2.1]]]',
    '[[用户@例子.广告]]',
    '/home/[[ann@example.org]]/notes.txt',
    'https://x.example.org/u/[[ann@example.org]]',
  ],
  phone: [
    'at [[+44 20 7946 0958]]',
    '[[+1 (415) 555-0132]], 2024-10-10',
    '[[0049 30 901820]]',
    '[[(415) 555-0132]]',
    '[[415-555-0132]]',
    '[[415.555.0132x77]]',
    '[[01.84.17.61.18]]',
    'phone: [[4512345]]',
    'mobile [[07700900123]]',
    'call me on [[72 128 827]]',
  ],
  ssn: ['[[123-45-6789]]', '[[078-05-1120]]', 'SSN [[078051120]]', 'social security number: [[078 05 1120]]'],
  ip: [
    'from [[192.0.2.17]]:8080',
    '[[2001:0db8:85a3:0000:0000:8a2e:0370:7334]]',
    'at [[fe80::1ff:fe23:4567:890a]]',
    '[[::1]]',
  ],
  mac: ['[[00:1A:2b:3c:4D:5e]]', '[[00-1a-2b-3c-4d-5e]]', 'MAC [[001a.2b3c.4d5e]]'],
  uk_nhs: ['NHS number [[943 476 5919]]'],
  uk_nino: ['[[AB 12 34 56 C]]'],
  ca_sin: ['SIN [[193 456 787]]'],
  es_dni: ['[[12345678Z]]', '[[X1234567L]]'],
  it_codice_fiscale: ['[[RSSMRA85T10A562S]]'],
  fr_nir: ['[[2 55 08 14 168 025 38]]'],
  de_tax_id: ['Steuer-ID [[86 095 742 719]]'],
  nl_bsn: ['BSN: [[111222333]]'],
  pl_pesel: ['PESEL [[44051401359]]'],
  se_personnummer: ['personnummer [[811228-9874]]', '[[19811228-9874]]'],
  br_cpf: ['[[529.982.247-25]]', 'CPF [[52998224725]]'],
  in_aadhaar: ['Aadhaar [[2341 2341 2346]]'],
  in_pan: ['PAN: [[ABCPE1234F]]'],
  au_tfn: ['TFN [[123 456 782]]'],
  au_medicare: ['Medicare card [[2123 45670 1]]'],
  ch_ahv: ['[[756.9217.0769.85]]'],
  be_nrn: ['[[85.07.30-033.28]]', 'NISS [[85073003328]]'],
  fi_hetu: ['[[131052-308T]]'],
  sg_nric: ['[[S1234567D]]'],
  mx_curp: ['[[HEGG560427MVZRRL04]]'],
  cn_id: ['[[11010519491231002X]]'],
  kr_rrn: ['[[800101-1234560]]'],
  za_id: ['ID number [[8001015009087]]'],
  no_fnr: ['fnr [[01010112377]]'],
  dk_cpr: ['CPR [[010180-1234]]'],
};

interface Sample {
  readonly kind: string;
  readonly text: string;
  readonly value: string;
}

const SAMPLES: readonly Sample[] = Object.entries(FOUND).flatMap(([kind, marked]) =>
  marked.map((each) => {
    const start = each.indexOf('[[');
    const end = each.lastIndexOf(']]');
    const value = each.slice(start + 2, end);
    return { kind, text: each.slice(0, start) + value + each.slice(end + 2), value };
  }),
);

const misses = (
  detect: (text: string) => readonly { start: number; end: number; type: string }[],
  samples: readonly Sample[],
) =>
  samples.flatMap(({ kind, text, value }) => {
    const found = detect(text).map((span) => `${span.type} ${text.slice(span.start, span.end)}`);
    return found.length === 1 && found[0] === `pii:${kind} ${value}` ? [] : [`${kind} ${text}: ${found.join(', ')}`];
  });

test('each kind is found, with its exact place', () => {
  assert.deepEqual(misses(pack.detect, SAMPLES), []);
  assert.deepEqual(
    file.rules.map(({ kind }) => kind).filter((kind) => FOUND[kind] === undefined),
    [],
  );
});

test('without any one of its rules the pack misses a number', () => {
  const useless = file.rules.flatMap((rule, index) => {
    const rest = detectorOf([{ ...file, rules: file.rules.filter((_, other) => other !== index) }]);
    const samples = SAMPLES.filter(({ kind }) => kind === rule.kind);
    return misses(rest.detect, samples).length > 0 ? [] : [`${rule.kind} ${rule.near ?? ''} ${rule.pattern}`];
  });
  assert.deepEqual(useless, []);
});

test('a wrong check digit is no number', () => {
  const kinds = ['card', 'iban', 'ca_sin', 'uk_nhs', 'es_dni', 'it_codice_fiscale', 'fr_nir', 'de_tax_id', 'nl_bsn'];
  const more = [
    'pl_pesel',
    'se_personnummer',
    'br_cpf',
    'in_aadhaar',
    'au_tfn',
    'ch_ahv',
    'be_nrn',
    'fi_hetu',
    'sg_nric',
  ];
  const last = ['mx_curp', 'cn_id', 'kr_rrn', 'za_id', 'no_fnr'];
  for (const { kind, text, value } of SAMPLES) {
    if (![...kinds, ...more, ...last].includes(kind)) continue;
    const at = value.search(/[0-9](?=[^0-9]*$)/);
    const wrong = value.slice(0, at) + String((Number(value.charAt(at)) + 1) % 10) + value.slice(at + 1);
    const found = pack.detect(text.replace(value, wrong)).map(({ type }) => type);
    assert.ok(!found.includes(`pii:${kind}`), `${kind} ${wrong}`);
  }
});

const NOTHING = [
  '2024-10-12T08:30:00.123456Z',
  'on 12.10.2024 at 10:30, or 12/10/2024',
  'version 1.2.3.4, v10.0.0.1 and release 4.3.2.1',
  'openssl 1.1.1.1.1',
  'Mozilla/5.0 Chrome/120.0.0.0',
  '550e8400-e29b-41d4-a716-446655440000 and 12345678-1234-1234-1234-411111111111',
  'sha1 9fceb02d0ae598e95dc970b74767f19372d61af8',
  '1718093123456 and 1718093123456789',
  'order 4012888888881881',
  'pi is 3.141592653589793, e is 2.718281828459045',
  'row 12 45 67 89 23 45 67 89',
  'invoice 2024-000123, SKU 123-45-67890',
  'AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99 is a fingerprint',
  'a::b and std::vector, 12:30:45',
  'logo@2x.png and git@github.com:org/repo.git',
  '000-12-3456, 666-12-3456, 912-34-5678, 123-00-4567, 123-45-0000',
  'npm install foo@1.2.3',
  '1,234,567,890 and 1 234 567 890',
  'ISBN 978-3-16-148410-0',
  'call the function 6030998 2024-09-03',
];

test('dates, versions, digests, identifiers and numbers are not personal', () => {
  for (const text of NOTHING) assert.deepEqual(pack.detect(text), [], text);
});

test('each pattern is one that RE2 compiles, without backtracking that multiplies', () => {
  for (const rule of file.rules) {
    const pattern = expanded(rule.pattern, file);
    assert.doesNotThrow(() => RE2JS.compile(pattern), pattern);
    assert.ok(costOf(pattern) <= 2_000, `${rule.kind} ${costOf(pattern)}: ${pattern}`);
  }
});
