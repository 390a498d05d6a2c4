import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ControlPlane } from '../../libs/control/control-plane.js';
import { ControlView } from '../../libs/control/control-view.js';
import { LogTime } from '../../libs/control/log-time.js';
import { directiveWrite } from '../../libs/control/stops.js';
import type { DirectiveCommand } from '../../libs/directive/decider.js';
import { sealEvent } from '../../libs/event-log/event.js';
import { MemoryLog } from '../../libs/event-log/memory/memory-log.js';
import type { RecordedEvent } from '../../libs/event-log/port.js';
import { settledLog } from '../../libs/event-log/settled.js';
import type { Beat } from '../../libs/feed/beat.js';
import { BeatSigner } from '../../libs/feed/beat-signer.js';
import { ok } from '../../libs/kernel/result.js';
import type { Outlet, ReadableOutlet } from '../../libs/relay/port.js';
import { runDirectivesLane, type DirectivesLane } from '../../libs/relay/directives-lane.js';
import { runEventsLane } from '../../libs/relay/events-lane.js';
import type { Lane, RelayParts } from '../../libs/relay/lane.js';
import { familyOf } from '../../libs/streams/catalogue.js';
import { committed, write } from '../contracts/facts.js';
import { movableClock } from '../support/clock.js';
import type { TestContext } from '../support/testing.js';

const LEASE_MS = 5_000;
const WAIT_MS = 10_000;
const POLL_MS = 5;

/** Waits until `seen` gives something else than undefined or false; fails with what `describe` says. */
export async function until<Seen>(
  seen: () => Seen | undefined | false,
  describe = (): string | undefined => '',
  timeoutMs = WAIT_MS,
): Promise<Seen> {
  for (const endMs = performance.now() + timeoutMs; ; await pause(POLL_MS)) {
    const found = seen();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`not in time: ${describe()}`);
  }
}

/** The effect of a record on a consumer that follows docs/operate/kafka.md: it drops positions at or below the last. */
export function consumed(records: readonly { readonly headers?: Readonly<Record<string, string>> }[]): bigint[] {
  const kept: bigint[] = [];
  for (const { headers } of records) {
    const position = BigInt(headers?.['ce_position'] ?? '');
    if (position > (kept.at(-1) ?? 0n)) kept.push(position);
  }
  return kept;
}

/** A log with its view and its beats, and relays over it. Each represents a process of its own. */
export async function relayGround(t: TestContext) {
  const memory = new MemoryLog();
  const clock = movableClock();
  const log = settledLog(memory, { clock });
  const view = new ControlView(log);
  await view.start();
  const time = new LogTime(clock, view, 0);
  const plane = new ControlPlane(log, view, time);
  const { privateKey } = generateKeyPairSync('ed25519');
  const beatSigner = new BeatSigner(
    log,
    view,
    { kid: 'k', privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x: '' } },
    time,
    LEASE_MS,
    1,
  );
  const lanes: Lane[] = [];
  let facts = 0;
  t.after(async () => {
    await Promise.all(lanes.map((lane) => lane.stop()));
    await view.stop();
    await log.close();
  });
  const principal = { name: 'operator', roles: ['operator'], tokenDigest: `sha256:${'0'.repeat(64)}` };
  const added = { stream: 'principal-operator', revision: 1, type: 'PrincipalAdded', schemaVersion: 1 } as const;
  const events = [sealEvent({ ...added, time: time.now(), actor: 'system:test', data: principal })];
  await committed(log, { stream: 'principal-operator', expected: 0, events });
  await view.refresh(['principal-operator']);

  async function command(wanted: (by: { actor: string; time: string }) => DirectiveCommand): Promise<void> {
    const done = await plane.run({ name: 'operator' }, (now) => {
      const planned = directiveWrite(view, wanted({ actor: 'operator', time: now }));
      return planned.ok ? ok({ writes: [planned.value] }) : planned;
    });
    if (!done.ok) throw new Error(JSON.stringify(done.error));
  }

  const partsOf = (more: Partial<RelayParts>): RelayParts => ({
    log,
    clock,
    time,
    holder: randomUUID(),
    exclusive: false,
    takeoverMs: 200,
    ...more,
  });
  return {
    memory,
    log,
    clock,
    view,
    beatSigner,
    /** Appends one fact to a stream of its own. */
    fact: () => committed(log, write(`notes-${(facts += 1)}`, 0, { facts })),
    async issue(reason = 'test'): Promise<string> {
      const id = randomUUID();
      const target = { type: 'capability', capability: `cap-${id}` } as const;
      await command((by) => ({ type: 'issue', id, target, reason, ...by }));
      return id;
    },
    lift: (id: string) => command((by) => ({ type: 'lift', id, reason: 'test', ...by })),
    events(outlet: Outlet, more: Partial<RelayParts> = {}, checkpointMs = 50): Lane {
      const lane = runEventsLane(partsOf(more), outlet, { source: 'urn:test', checkpointMs });
      lanes.push(lane);
      return lane;
    },
    directives(outlet: ReadableOutlet, more: Partial<RelayParts> = {}, said: Partial<BeatSigner> = {}): DirectivesLane {
      const { heartbeat } = beatSigner;
      const changes = beatSigner.changes.bind(beatSigner);
      const restatement = beatSigner.restatement.bind(beatSigner);
      const ownContent = beatSigner.ownContent.bind(beatSigner);
      const lane = runDirectivesLane(
        partsOf(more),
        outlet,
        { heartbeat, changes, restatement, ownContent, ...said },
        view,
      );
      lanes.push(lane);
      return lane;
    },
    /** All that a relay has to send. */
    async relayed(): Promise<readonly RecordedEvent[]> {
      const events = await log.readAll({ after: 0n, limit: 100_000 });
      return events.filter(({ stream }) => familyOf(stream)?.role !== 'bookkeeping');
    },
  };
}

/** The last beat of each key, as a reader from the beginning sees it. */
export function stateOf(records: readonly { readonly key: string; readonly value: string }[]): Map<string, Beat> {
  const last = new Map(records.map(({ key, value }) => [key, value]));
  return new Map([...last].map(([key, value]) => [key, JSON.parse(value) as Beat]));
}
