import type { CapabilityState } from '../../libs/capability/state.js';
import type { ConsultedTask, ConsultedView } from '../../libs/decision-point/basis.js';
import { jsonBlob } from '../../libs/event-log/blobs.js';
import type { Held } from '../../libs/control/resting-states.js';
import { directiveDecider } from '../../libs/directive/decider.js';
import type { Blob } from '../../libs/event-log/port.js';
import { digestOf, type Digest } from '../../libs/kernel/digest.js';
import { NO_CALLS } from '../../libs/decision/snapshot.js';
import type { Pin } from '../../libs/task/decider.js';

/** Folded states without a log: what decisions consult, made in bulk. */

const AT = '2026-11-22T10:00:00.000Z';
const SCHEMA = jsonBlob({ type: 'object', properties: { key: { type: 'string' } }, required: ['key'] });

export interface Consulted {
  readonly blobs: readonly Blob[];
  id(index: number): string;
  pin(id: string): Pin;
  /** The view with a policy set in force. */
  withPolicies(cedar: Digest): ConsultedView;
}

export function consulted(capabilities: number): Consulted {
  const held = new Map<string, Held<CapabilityState>>();
  const id = (index: number): string => `capability-${index}`;
  for (let index = 0; index < capabilities; index += 1) {
    held.set(id(index), { revision: 3, state: approvedCapability(id(index)) });
  }
  const directives = { revision: 0, state: directiveDecider.initialState() };
  return {
    blobs: [SCHEMA],
    id,
    pin: (capability) => ({ capability, version: '1', definitionDigest: digestOf(capability) }),
    withPolicies(cedar) {
      const by = { reason: 'r', proposedBy: 'rita', proposedAt: AT };
      const active = { policyVersion: 1, cedar, status: 'approved' as const, ...by };
      const policySet = { revision: 2, state: { versions: new Map([[1, active]]), active } };
      return {
        capability: (name) => held.get(name) ?? { revision: 0, state: undefined },
        directives: () => directives,
        policySet: () => policySet,
        principal: () => ({ revision: 1, state: undefined }),
        publisher: () => ({ revision: 0, state: undefined }),
      };
    },
  };
}

function approvedCapability(id: string): CapabilityState {
  const exceptions = ['signature_missing'] as const;
  return {
    id,
    kind: 'mcp-server',
    category: 'notes',
    owner: 'team',
    publishers: [],
    requestDigest: digestOf(`request ${id}`),
    versions: new Map([
      [
        '1',
        {
          version: '1',
          source: { type: 'npm', name: id },
          definitionDigest: digestOf(id),
          documents: { definition: digestOf(id), manifest: digestOf(`manifest ${id}`) },
          operations: { recall: { effects: ['read'], arguments: SCHEMA.digest } },
          sensitivity: 'internal',
          server: { method: 'package', integrity: 'i' },
          requestDigest: digestOf(`version ${id}`),
          proposedBy: 'rita',
          proposedAt: AT,
          status: 'approved',
          review: { verdict: 'approved', by: 'vera', reason: 'r', at: AT, exceptions },
          firstApproval: 1,
          suspendedFor: new Set(),
          observed: new Map(),
          drifted: false,
        },
      ],
    ]),
    approvals: 1,
    driftSuspensions: [],
  };
}

/** A task of a user of the staff that pins one capability. */
export function memoryTask(capability: string, pin: Pin, purpose: string): ConsultedTask {
  const taskId = '00000000-0000-4000-8000-000000000002';
  return {
    taskStream: `task-${taskId}`,
    taskRevision: 1,
    content: { purpose, attributes: { team: 'blue' } },
    earlier: NO_CALLS,
    task: {
      taskId,
      traceId: 'a'.repeat(32),
      host: 'host',
      agent: 'assistant',
      user: { id: 'ada', roles: ['staff'], attestedBy: 'host' },
      scope: [{ capability, effects: ['read'] }],
      pins: new Map([[capability, pin]]),
      unresolved: [],
      openedAt: AT,
      expiresAt: '2026-11-22T11:00:00.000Z',
      epoch: 0,
      commitments: { purpose: digestOf('purpose'), attributes: digestOf('attributes') },
      requestDigest: digestOf('task'),
      counted: new Map(),
      closed: false,
      shredded: false,
    },
  };
}
