import type { Decision } from '../../../libs/decision/decide.js';
import { decisionDigest, recordedCheck } from '../../../libs/decision/record.js';
import type { Target } from '../../../libs/directive/target.js';
import { digestOf } from '../../../libs/kernel/digest.js';
import { FAULTS } from '../../support/decision-faults.js';
import { decideIn, observed, type World } from '../../support/decision-world.js';
import { digest, uuid } from '../../support/given.js';

/** What every decider is asked: one change to a call that is allowed. A case is never changed, only added. */
export const CASES: Readonly<Record<string, (world: World) => void>> = {
  allow: () => undefined,
  connect: (world) => (world.call.operation = '$connect'),
  'connect without a definition': (world) => {
    world.call.operation = '$connect';
    observed(world, { definition: undefined });
  },
  ...Object.fromEntries(FAULTS.map(([, reason, fault]) => [reason, fault])),
  'no pin': (world) => Object.assign(world.task ?? {}, { pins: new Map() }),
  'no policy': (world) => (world.policy = false),
  'two effects': (world) => (world.call.operation = 'copy'),
  'suspended for this host': (world) => (world.version = { suspendedFor: new Set(['hank']) }),
  'suspended, with its directive': (world) => {
    world.version.status = 'suspended';
    world.directives.push({ target: { type: 'version', capability: 'memory', version: '1' }, cause: uuid(5) });
  },
  ...Object.fromEntries(stops().map((target) => [`stopped by ${target.type}`, stoppedBy(target)])),
  'stopped by a source of another spelling': stoppedBy({ type: 'source', source: 'npm:Memory' }),
  'source in another spelling': (world) => {
    world.version = { source: { type: 'npm', name: 'Memory' } };
    stoppedBy({ type: 'source', source: 'npm:memory' })(world);
  },
  'signed, by a key that is active': signedWith('active'),
  'signed, by a key that was revoked': signedWith('revoked'),
  'another probe': (world) => probed(world, PROBE),
  'another definition, another probe': (world) => {
    probed(world, PROBE);
    observed(world, { definition: digest('x') });
  },
  'another definition, whole': (world) => observed(world, { definition: digest('x'), whole: true }),
  'many errors': (world) => {
    world.argumentsValid = false;
    world.argumentErrors = [
      { path: '', keyword: 'required', member: 'key' },
      { path: '', keyword: 'anyOf' },
      ...Array.from({ length: 9 }, (_, index) => ({ path: `/a/${index}` as const, keyword: 'type' })),
    ];
  },
  'a prompt of another name': (world) => {
    world.version = { operations: { 'prompt:greet': { effects: ['read'] } } };
    Object.assign(world.call, { operation: 'prompt:greet', arguments: { name: 'other' } });
  },
  'calls left': (world) => Object.assign(world.task ?? {}, { scope: [scoped(1)] }),
  'calls used up': (world) =>
    Object.assign(world.task ?? {}, { scope: [scoped(1)], counted: new Map([[0, new Set([uuid(7)])]]) }),
};

/**
 * What a golden file holds of a decision: `digest` is what replay compares, `whole` covers all evidence as well. Targets are
 * left out: replay does not compare them, and each new kind of directive adds one.
 */
export function goldenOf(change: (world: World) => void, decider: number) {
  const { snapshot: _, targets: _targets, ...decided } = decideIn(change, decider);
  const { decision, reason, rule, checks } = decided satisfies Omit<Decision, 'targets'>;
  const recorded = { decision, reason, rule, checks: checks.map(recordedCheck) };
  const digestOfRecord = decisionDigest({ ...recorded, commitments: {}, basis: {} });
  return {
    decision,
    reason,
    ...(rule === undefined ? {} : { rule }),
    digest: digestOfRecord,
    whole: digestOf(decided),
  };
}

/** A version that a key of its publisher has signed. */
function signedWith(state: 'active' | 'revoked') {
  return (world: World): void => {
    const documents = { definition: digest('d'), manifest: digest('m'), signature: digest('e') };
    const signer = { publisher: 'acme', keyId: 'k1' };
    world.version = { documents, signature: { signers: [signer], tried: [{ publisher: 'acme', keys: 1 }] } };
    const key = { keyId: 'k1', algorithm: 'ed25519', publicKey: 'PEM', proposedBy: 'rita', state } as const;
    world.publisher = { id: 'acme', name: 'Acme', registeredBy: 'rita', revoked: false, keys: new Map([['k1', key]]) };
  };
}

const PROBE = { protocolVersion: '1', clientCapabilities: {} };

function probed(world: World, probe: typeof PROBE): void {
  world.version = { probe };
  const asked = { ...probe, clientCapabilities: { roots: {} } };
  observed(world, { asked, probe: digestOf(asked) });
}

const scoped = (maxCalls: number) => ({ capability: 'memory', effects: ['read'] as const, maxCalls });

function stoppedBy(target: Target) {
  return (world: World): void => void world.directives.push({ target });
}

function stops(): Target[] {
  return [
    { type: 'all' },
    { type: 'capability', capability: 'memory' },
    { type: 'version', capability: 'memory', version: '1' },
    { type: 'operation', capability: 'memory', operation: 'recall' },
    { type: 'publisher', publisher: 'acme' },
    { type: 'source', source: 'npm:memory' },
    { type: 'category', category: 'notes' },
    { type: 'effect', effect: 'read' },
    { type: 'host', host: 'hank' },
    { type: 'task', taskId: uuid(1) },
  ];
}
