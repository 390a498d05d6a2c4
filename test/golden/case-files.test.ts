import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { Target } from '../../libs/directive/target.js';
import { CheckName, Kind, ReasonCode, ServerMethod } from '../../libs/vocabulary/words.js';
import { BLOCKS_FILE, expandSteps, readBlocks, readCases, type Case } from './case.js';
import { GOLDEN, namesIn, readJson, readYaml, stem } from './files.js';
import { test } from '../support/testing.js';

const cases = readCases();
const SCHEMA = readJson<{ $id: string; definitions: Record<string, { enum?: string[] }> }>('decisions.schema.json');

const STRICT = { allErrors: true, strict: true, strictRequired: false } as const;

/** Reason codes that need a future part of the service. Each leaves this list with its own cases. */
const NOT_REACHABLE_YET = new Set<string>(['credential_unavailable']);
/** Reason codes that no request can cause on its own. Their tests take the service apart. */
const OF_FAULTS = new Set<string>(['filter_failed', 'internal_error', 'view_stale']);
/** Reason codes of versions that nobody can approve, so that no task pins them: `test/http/signatures.test.ts`. */
const OF_REVIEWS = new Set<string>(['signature_invalid', 'signature_unverifiable']);

test('every case file has the shape that editors know', () => {
  const ajv = new Ajv(STRICT);
  const validate = ajv.compile(SCHEMA);
  for (const [name, golden] of cases) {
    assert.ok(validate(golden), `${name}: ${ajv.errorsText(validate.errors)}`);
    const [first] = readFileSync(join(GOLDEN, 'decisions', `${name}.yaml`), 'utf8').split('\n');
    assert.equal(first, '# yaml-language-server: $schema=../decisions.schema.json', name);
  }
  const blocks = ajv.compile({ $ref: `${SCHEMA.$id}#/definitions/blocks` });
  assert.ok(blocks(readYaml('decisions', BLOCKS_FILE)), ajv.errorsText(blocks.errors));
});

test('the editor schema refuses what is misspelt, missing or too much', () => {
  const validate = new Ajv(STRICT).compile(SCHEMA);
  const golden = cases.get('allow-plain');
  assert.ok(golden);
  const { recorded: _, ...unrecorded } = golden;
  const wrong: unknown[] = [
    unrecorded,
    { ...golden, anwser: {} },
    { ...golden, answer: { ...golden.answer, reason: 'denied' } },
    { ...golden, world: [{ registre: { capability: 'memory' } }] },
    { ...golden, world: [{ register: { capability: 'memory' }, policy: 'allow-all' }] },
    { ...golden, recorded: { ...golden.recorded, event: 'CallDenied' } },
  ];
  for (const each of wrong) assert.equal(validate(each), false, JSON.stringify(each));
});

test('the editor schema knows the words of the service', () => {
  const { reason, check } = SCHEMA.definitions;
  assert.deepEqual(reason?.enum, ['ok', ...ReasonCode.options]);
  assert.deepEqual(check?.enum, CheckName.options);
});

test('every reason code is reached by a case', () => {
  const reached = new Set([...cases.values()].map(({ answer }) => answer.reason));
  const forgotten = ['ok', ...ReasonCode.options].filter((reason) => !reached.has(reason));
  assert.deepEqual(forgotten.sort(), [...NOT_REACHABLE_YET, ...OF_FAULTS, ...OF_REVIEWS].sort());
});

test('each kind of target, server evidence and capability is in a case', () => {
  const blocks = readBlocks();
  const all = [...cases.values()];
  const steps = all
    .filter(({ answer }) => answer.reason === 'disabled')
    .flatMap(({ world }) => expandSteps(world, blocks));
  const targets = new Set(steps.flatMap((step) => ('directive' in step ? [step.directive.target['type']] : [])));
  assert.deepEqual([...targets].sort(), Target.options.map((option) => option.shape.type.value).sort());
  const methods = (reason: string) =>
    [...new Set(all.filter(({ answer }) => answer.reason === reason).map(methodOf))].sort();
  assert.deepEqual(methods('ok'), [...ServerMethod.options].sort());
  assert.deepEqual(methods('server_identity_mismatch'), ServerMethod.options.filter((each) => each !== 'none').sort());
  const kinds = all
    .filter(({ answer }) => answer.reason === 'ok')
    .map(({ answer }) => Object.values(blocks.capabilities).find(({ id }) => id === answer['capability'])?.['kind']);
  assert.deepEqual([...new Set(kinds)].sort(), [...Kind.options].sort());
});

/** The method of the server evidence that a case brings. */
const methodOf = ({ request }: Case): string =>
  (request['observed'] as { server: { method: string } } | undefined)?.server.method ?? '';

test('the files are the cases, each named after its reason, and no block is left over', () => {
  assert.deepEqual(
    namesIn('decisions').filter((name) => !name.endsWith('.yaml')),
    [],
  );
  for (const [name, { answer }] of cases) {
    const reason = answer.reason === 'ok' ? 'allow' : answer.reason.replaceAll('_', '-');
    assert.ok(name === reason || name.startsWith(`${reason}-`), `${name} is about ${answer.reason}`);
  }
  const blocks = readBlocks();
  const text = [...namesIn('decisions')]
    .map((name) => readFileSync(join(GOLDEN, 'decisions', name), 'utf8'))
    .join('\n');
  const words = (block: object, of: (name: string) => string) => Object.keys(block).map(of);
  const used = [
    ...words(blocks.definitions, (name) => `$definition.${name} `),
    ...words(blocks.digests, (name) => `$digest.${name} `),
    ...words(blocks.policies, (name) => `policy: ${name} `),
    ...words(blocks.worlds, (name) => `use: ${name} `),
    ...words(blocks.capabilities, (name) => `register: { capability: ${name} `),
  ];
  const spaced = text.replace(/[\s,}]+/g, ' ');
  for (const word of used) assert.ok(spaced.includes(word), `nothing says ${word}`);
});

test('no two cases say the same', () => {
  const seen = new Map<string, string>();
  for (const [name, { description, world, by, headers, request }] of cases) {
    for (const said of [description, JSON.stringify({ world, by, headers, request })]) {
      assert.equal(seen.get(said), undefined, `${stem(name)} repeats ${seen.get(said)}`);
      seen.set(said, name);
    }
  }
});
