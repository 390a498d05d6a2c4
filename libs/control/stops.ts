import type { CapabilityEvent } from '../capability/events.js';
import { directiveDecider, type DirectiveCommand } from '../directive/decider.js';
import type { Batch, StreamWrite } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { ControlView } from './control-view.js';
import { families } from '../streams/catalogue.js';
import { writeOf, type Links } from '../streams/facts.js';

/** The facts that stop something, and those that accompany them. Only a batch of these may be sent again after its answer. */
const STOPPING: ReadonlySet<string> = new Set([
  'DirectiveIssued',
  'DriftObserved',
  'PrincipalRemoved',
  'PublisherKeyRevoked',
  'PublisherRevoked',
  'VersionRevoked',
  'VersionSuspended',
]);

/** Whether a batch only stops things. If it takes effect late, it can only deny. */
export const isStop = (writes: readonly StreamWrite[]): boolean =>
  writes.every(({ events }) => events.every(({ type }) => STOPPING.has(type)));

/**
 * The writes for facts of a capability. A stop for all hosts issues a directive in the same batch, and a reinstatement
 * lifts it, so hosts hear of every stop through one feed.
 */
export function capabilityWrites(
  view: ControlView,
  capability: string,
  events: readonly CapabilityEvent[],
  links: Links = {},
): Result<StreamWrite[], Refusal> {
  const stream = families.capability.stream(capability);
  const facts = writeOf(stream, view.capability(capability).revision, events, links);
  for (const [index, event] of events.entries()) {
    const command = directiveOf(event, facts.events[index]?.id ?? '');
    if (command === undefined) continue;
    const directive = directiveWrite(view, command, links);
    return directive.ok ? ok([facts, directive.value]) : directive;
  }
  return ok([facts]);
}

/**
 * Whether a batch may be a stop or the end of one: directives, principals, and the life of a version. Proposals and
 * observations carry documents; they wait in the queue unless they issue a directive.
 */
export function isUrgent({ writes, blobs = [] }: Pick<Batch, 'writes' | 'blobs'>): boolean {
  return writes.some(
    ({ stream }) =>
      families.directives.has(stream) ||
      families.principal.has(stream) ||
      families.publisher.has(stream) ||
      (families.capability.has(stream) && blobs.length === 0),
  );
}

/** The write of a directive command. It has no events if nothing is new. */
export function directiveWrite(
  view: ControlView,
  command: DirectiveCommand,
  links: Links = {},
): Result<StreamWrite, Refusal> {
  const { state, revision } = view.directives();
  const decided = directiveDecider.decide(command, state);
  if (!decided.ok) return decided;
  const cause = command.type === 'issue' && command.cause !== undefined ? { causationId: command.cause } : {};
  return ok(writeOf(families.directives.stream(), revision, decided.value, { ...links, ...cause }));
}

/** The directive command of a fact, if it has one. At most one fact of a batch does. */
function directiveOf(event: CapabilityEvent, cause: string): DirectiveCommand | undefined {
  const { actor, time } = event;
  if (event.type === 'VersionSuspended' || event.type === 'VersionRevoked') {
    const { capability, version, reason, directiveId } = event.data;
    if (directiveId === undefined) return undefined;
    const target = { type: 'version', capability, version } as const;
    return { type: 'issue', id: directiveId, target, reason, cause, actor, time };
  }
  if (event.type === 'VersionReinstated' && event.data.directiveId !== undefined) {
    return { type: 'lift', id: event.data.directiveId, reason: event.data.reason, withCause: true, actor, time };
  }
  return undefined;
}
