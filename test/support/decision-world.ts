import assert from 'node:assert/strict';
import type { CapabilityState, Review, VersionState } from '../../libs/capability/state.js';
import type { Call } from '../../libs/decision/call.js';
import { CURRENT_PACK, packOf } from '../../libs/content/detect/packs.js';
import { WHOLE } from '../../libs/content/filter/declared.js';
import { filterOutbound } from '../../libs/content/filter/filter.js';
import type { FilterResult } from '../../libs/content/filter/shapes.js';
import { CURRENT_DECIDER, deciders } from '../../libs/decision/deciders/registry.js';
import { namedThingErrors } from '../../libs/decision/named-thing.js';
import {
  NO_CALLS,
  type ArgumentError,
  type Engines,
  type FilterQuestion,
  type Snapshot,
  type TaskCalls,
} from '../../libs/decision/snapshot.js';
import { directiveDecider } from '../../libs/directive/decider.js';
import type { Target } from '../../libs/directive/target.js';
import { fold } from '../../libs/kernel/decider.js';
import { err, ok } from '../../libs/kernel/result.js';
import type { PublisherState } from '../../libs/publisher/decider.js';
import type { TaskState } from '../../libs/task/decider.js';
import { at, digest, uuid } from './given.js';

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** Every input of a decision, in a form that a test can break in one place. Unchanged, it is an allow. */
export interface World {
  /** The publisher of the capability, if it is registered. */
  publisher?: PublisherState;
  version: Partial<Mutable<VersionState>>;
  versions: boolean;
  registered: boolean;
  task: Partial<TaskState> | undefined;
  calls: Partial<Mutable<TaskCalls>>;
  directives: { target: Target; cause?: string }[];
  policy: boolean;
  authority: ReturnType<Engines['authority']>;
  argumentsValid: boolean;
  argumentErrors: readonly ArgumentError[];
  call: Partial<Mutable<Call>>;
  /** The filter denies the call. */
  denial?: FilterResult['denial'];
}

export const PIN = { capability: 'memory', version: '1', definitionDigest: digest('d') };
export const REVIEW: Review = {
  verdict: 'approved',
  by: 'vera',
  reason: 'r',
  at: at(0),
  exceptions: ['signature_missing', 'server_unauthenticated'],
};
export const world = (): World => ({
  version: {},
  versions: true,
  registered: true,
  task: {},
  calls: {},
  directives: [],
  policy: true,
  authority: { outcome: 'allow', determining: ['p'] },
  argumentsValid: true,
  argumentErrors: [{ path: '/key', keyword: 'required' }],
  call: {},
});

export function decideIn(change: (made: World) => void, decider = CURRENT_DECIDER) {
  const made = world();
  change(made);
  const version: VersionState = {
    version: '1',
    source: { type: 'npm', name: 'memory' },
    definitionDigest: PIN.definitionDigest,
    documents: { definition: digest('d'), manifest: digest('m') },
    operations: { recall: { effects: ['read'], arguments: digest('schema') }, copy: { effects: ['read', 'write'] } },
    sensitivity: 'internal',
    server: { method: 'package', integrity: 'i' },
    requestDigest: digest('r'),
    proposedBy: 'rita',
    proposedAt: at(0),
    status: 'approved',
    review: REVIEW,
    suspendedFor: new Set(),
    observed: new Map(),
    drifted: false,
    ...made.version,
  };
  const capability: CapabilityState = {
    id: 'memory',
    kind: 'mcp-server',
    category: 'notes',
    owner: 'team',
    publishers: ['acme'],
    requestDigest: digest('r'),
    versions: new Map(made.versions ? [['1', version]] : []),
    approvals: 1,
    driftSuspensions: [],
  };
  const task: TaskState = {
    taskId: uuid(1),
    traceId: 'a'.repeat(32),
    host: 'hank',
    agent: 'agent',
    user: { id: 'ada', roles: [], attestedBy: 'hank' },
    scope: [{ capability: 'memory', effects: ['read', 'write'] }],
    pins: new Map([['memory', PIN]]),
    unresolved: [],
    openedAt: at(0),
    expiresAt: at(60),
    epoch: 0,
    commitments: { purpose: digest('p'), attributes: digest('a') },
    requestDigest: digest('r'),
    counted: new Map(),
    closed: false,
    shredded: false,
    ...made.task,
  };
  const directives = fold(
    directiveDecider,
    made.directives.map(({ target, cause }, index) => ({
      type: 'DirectiveIssued' as const,
      data: {
        id: uuid(100 + index),
        target,
        reason: 'r',
        stateRoot: digest('s'),
        ...(cause === undefined ? {} : { cause }),
      },
      actor: 'otto',
      time: at(0),
    })),
  );
  const policy = {
    policyVersion: 3,
    cedar: digest('c'),
    reason: 'r',
    proposedBy: 'rita',
    proposedAt: at(0),
    status: 'approved' as const,
  };
  const snapshot: Snapshot = {
    basis: {},
    directives,
    capability: made.registered ? capability : undefined,
    publisherOf: () => made.publisher,
    policySet: { versions: new Map(), ...(made.policy ? { active: policy } : {}) },
    task: made.task === undefined ? undefined : task,
    calls: { ...NO_CALLS, ...made.calls },
    content: { purpose: 'p', attributes: {} },
  };
  const call: Call = {
    callId: uuid(2),
    taskId: uuid(1),
    host: 'hank',
    capability: 'memory',
    operation: 'recall',
    arguments: {},
    context: ['a', 'b'].map((id) => ({ id, source: 'notes', content: 'c' })),
    contextItems: 2,
    labels: [],
    inputs: {},
    observed: { definition: PIN.definitionDigest, server: { method: 'package', integrity: 'i' } },
    decidedAt: at(1),
    ...made.call,
  };
  const { decide, engineRules } = deciders[decider] ?? assert.fail();
  const engines: Engines = {
    authority: () => made.authority,
    named: engineRules.namedThings === 'compared' ? namedThingErrors : () => [],
    arguments: () => (made.argumentsValid ? ok(undefined) : err(made.argumentErrors)),
    filter: (question) => ({ ...filteredOf(question), denial: made.denial }),
  };
  return { ...decide(snapshot, call, engines), snapshot };
}

export const observed = (made: World, more: Partial<Call['observed']>): void => {
  made.call.observed = {
    definition: PIN.definitionDigest,
    server: { method: 'package', integrity: 'i' },
    ...made.call.observed,
    ...more,
  };
};

/** Without a schema, everything is declared. */
const filteredOf = (question: FilterQuestion): FilterResult =>
  filterOutbound(question, {
    pack: packOf(CURRENT_PACK) ?? assert.fail(),
    declared: WHOLE,
    valid: () => ok(undefined),
  });
