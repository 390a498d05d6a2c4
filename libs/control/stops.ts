import type { CapabilityEvent } from '../capability/events.js';
import { directiveDecider, type DirectiveCommand } from '../directive/decider.js';
import type { Batch, StreamWrite } from '../event-log/port.js';
import type { Refusal } from '../kernel/refusal.js';
import { ok, type Result } from '../kernel/result.js';
import type { ControlView } from './control-view.js';
import { writeOf, type Links } from '../streams/facts.js';

/** The facts that stop something, and what comes with them. Only a batch of these may be sent again after its answer. */
const STOPPING: ReadonlySet<string> = new Set([
  'DirectiveIssued',
  'DriftObserved',
  'PrincipalRemoved',
  'VersionRevoked',
  'VersionSuspended',
]);

/** Whether a batch does nothing but stop: carried out late, it can only deny. */
export const isStop = (writes: readonly StreamWrite[]): boolean =>
  writes.every(({ events }) => events.every(({ type }) => STOPPING.has(type)));

/**
 * The writes for facts of a capability, with the directive that a stop for all brings with it (or that a reinstatement
 * lifts) in the same batch: hosts hear of every stop through one feed.
 */
export function capabilityWrites(
  view: ControlView,
  capability: string,
  events: readonly CapabilityEvent[],
  links: Links = {},
): Result<StreamWrite[], Refusal> {
  const stream = `capability-${capability}`;
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
 * Whether a batch may be a stop, or what takes one back: directives, principals, and the life of a version. Proposals and
 * what hosts have seen bring their documents along, and wait with all others unless they stop something for all.
 */
export function isUrgent({ writes, blobs = [] }: Pick<Batch, 'writes' | 'blobs'>): boolean {
  return writes.some(
    ({ stream }) =>
      stream === 'directives' ||
      stream.startsWith('principal-') ||
      (stream.startsWith('capability-') && blobs.length === 0),
  );
}

/** The write of a directive command, without events where there is nothing new to say. */
export function directiveWrite(
  view: ControlView,
  command: DirectiveCommand,
  links: Links = {},
): Result<StreamWrite, Refusal> {
  const { state, revision } = view.directives();
  const decided = directiveDecider.decide(command, state);
  if (!decided.ok) return decided;
  const cause = command.type === 'issue' && command.cause !== undefined ? { causationId: command.cause } : {};
  return ok(writeOf('directives', revision, decided.value, { ...links, ...cause }));
}

/** At most one fact of a batch stops or reinstates. */
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
