import { PROPOSAL_RULES } from '../../libs/decision-point/content-jobs.js';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capabilityDecider, type CapabilityCommand } from '../../libs/capability/decider.js';
import { CapabilityRegistration } from '../../libs/capability/manifest.js';
import { prepareProposal } from '../../libs/capability/proposal.js';
import { Approver } from '../../libs/decision-point/approver.js';
import { Authorizer } from '../../libs/decision-point/authorizer.js';
import { textBlob } from '../../libs/event-log/blobs.js';
import { ControlPlane } from '../../libs/control/control-plane.js';
import { ControlView } from '../../libs/control/control-view.js';
import { DecisionEngines } from '../../libs/decision-point/engines.js';
import { writeOf } from '../../libs/streams/facts.js';
import { LogTime } from '../../libs/control/log-time.js';
import { RefusalRecorder } from '../../libs/decision-point/refusal-recorder.js';
import { newTraceId } from '../../libs/decision-point/trace.js';
import { Responder } from '../../libs/decision-point/responder.js';
import { capabilityWrites, directiveWrite } from '../../libs/control/stops.js';
import { TaskLanes } from '../../libs/decision-point/task-lanes.js';
import { Shredder } from '../../libs/decision-point/shredder.js';
import { Tasks } from '../../libs/decision-point/tasks.js';
import type { AuthorizeRequest } from '../../libs/calls/requests.js';
import type { Target } from '../../libs/directive/target.js';
import { sealEvent, parseEvent, type Event } from '../../libs/event-log/event.js';
import { MemoryLog } from '../../libs/event-log/memory/memory-log.js';
import { settledLog } from '../../libs/event-log/settled.js';
import type { Blob, EventLog, RecordedEvent, StreamWrite } from '../../libs/event-log/port.js';
import type { JsonObject } from '../../libs/kernel/canonical-json.js';
import { digestOf, type Digest } from '../../libs/kernel/digest.js';
import { ok, type Result } from '../../libs/kernel/result.js';
import { systemClock } from '../../libs/kernel/time.js';
import { memoryKeyring } from '../../libs/payloads/memory-keyring.js';
import { familyOf } from '../../libs/streams/catalogue.js';
import { policyDecider } from '../../libs/policy/decider.js';
import { principalDecider } from '../../libs/principal/decider.js';
import type { OpenTask } from '../../libs/task/request.js';
import type { Role } from '../../libs/vocabulary/words.js';
import { CallAudit } from '../../libs/audit/calls.js';
import { CallIndex } from '../../libs/audit/index/call-index.js';
import { DirectiveHistory } from '../../libs/audit/directive-history.js';
import { readEvents } from '../../libs/audit/events.js';
import { EventsQuery } from '../../libs/contract/audit.js';
import { TraceAudit, type TraceLimits } from '../../libs/audit/trace.js';
import type { TraceEvidence, TraceReplay } from '../../libs/contract/audit.js';
import type { CallEvidence, ReplayedCall, StoredEvent, TracedTask } from '../../libs/contract/evidence.js';
import { inlineDesk, RESPONSE_LIMITS, responseText } from './responses.js';
import type { TestContext } from './testing.js';

/** A small world for tests of evidence, made through the real commands: one capability, one policy, two hosts. */

const START_MS = Date.parse('2026-11-22T10:00:00.000Z');
export const SERVER = { method: 'package', integrity: 'sha512-abc' } as const;
export const DEFINITION = {
  instructions: 'Reads notes.',
  tools: [
    {
      name: 'read',
      inputSchema: {
        type: 'object',
        properties: { key: { type: 'string' }, share: { multipleOf: 0.01 } },
        required: ['key'],
      },
    },
    { name: 'write', inputSchema: { type: 'object' } },
  ],
  resources: [{ uri: 'notes://public', name: 'public' }],
};
export const ALLOW_READING = `@id("reading") permit(principal in Role::"clerk", action == Action::"read", resource);`;
export const ALLOW_PURPOSE = `@id("tidy-only") permit(principal, action, resource) when { context.purpose == "tidy up" };`;

export type World = Awaited<ReturnType<typeof makeWorld>>;

export async function makeWorld(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  const log = new MemoryLog();
  const settled = settledLog(log, { clock: systemClock });
  const keys = memoryKeyring();
  let nowMs = START_MS;
  const clock = { wallMs: () => (nowMs += 1000), monotonicMs: () => 0 };
  // One awake: the others rest and are woken all the time.
  const view = new ControlView(log, 1);
  await view.start();
  const time = new LogTime(clock, view, 0);
  const plane = new ControlPlane(settled, view, time);
  const engines = new DecisionEngines(log);
  const lanes = new TaskLanes(settled, keys, view);
  const tasks = new Tasks(settled, plane, lanes, keys);
  const shredder = new Shredder(settled, plane, lanes, keys);
  const desk = inlineDesk(engines);
  const flow = { mode: 'detect', contextLevel: 'confidential' } as const;
  const approvals = { goodForMs: 600_000, skewMs: 500 };
  const point = { log: settled, view, lanes, engines, time, approvals, desk, flow };
  const authorizer = new Authorizer(point, new RefusalRecorder(point, 5000), 5000);
  const approver = new Approver(point);
  const responder = new Responder(point, desk, RESPONSE_LIMITS);
  const indexFile = join(folder, 'audit-index.db');
  const index = await CallIndex.open(log, indexFile);
  t.after(async () => {
    await index.close();
    await view.stop();
    await log.close();
    rmSync(folder, { recursive: true });
  });

  const write = async (actor: string, plan: (now: string) => { writes: StreamWrite[]; blobs?: Blob[] }) =>
    must(await plane.run({ name: actor }, (now) => ok(plan(now))));
  const addPrincipal = (name: string, role: Role) =>
    write('system:setup', (now) => {
      const rights = role === 'host' ? { host: { mayStop: true } } : {};
      const user = role === 'approver' ? { user: name } : {};
      const principal = { name, roles: [role], tokenDigest: digestOf(name), ...rights, ...user };
      const facts = must(
        principalDecider.decide({ type: 'add', principal, actor: 'system:setup', time: now }, undefined),
      );
      return { writes: [writeOf(`principal-${name}`, 0, facts)] };
    });
  const act = (id: string, actor: string, command: (time: string) => CapabilityCommand, blobs: Blob[] = []) =>
    write(actor, (now) => {
      const facts = must(capabilityDecider.decide(command(now), view.capability(id).state));
      return { writes: must(capabilityWrites(view, id, facts)), blobs };
    });

  const world = {
    log,
    keys,
    view,
    engines,
    index,
    indexFile,
    directives: new DirectiveHistory(log),
    tasks,
    authorizer,
    responder,
    /** Somebody else than the user of a task grants an approval. */
    grant: async (taskId: string, approvalId: string) =>
      must(await approver.decide({ taskId, approvalId, caller: { name: 'approver' }, verdict: 'granted' })),
    /** Audits what a log says, which may be a tampered one. */
    events: (query: object, seen: EventLog = log) =>
      readEvents({ log: seen, index, directives: new DirectiveHistory(seen) }, EventsQuery.parse(query)),
    audit: (seen: EventLog = log, limits?: TraceLimits) =>
      new TraceAudit(seen, keys, new DecisionEngines(seen), index, new DirectiveHistory(seen), limits),
    calls: (seen: EventLog = log) => new CallAudit(seen, keys, engines, index, new DirectiveHistory(seen)),
    shred: async (taskId: string) => must(await shredder.shred([taskId], { name: 'system:test' }, { cause: 'task' })),
    passMs: (ms: number) => (nowMs += ms),
    now: () => time.now(),
    caughtUp: async () => index.waitFor(await log.end(), 5000),

    async register(id: string, version = '1.0.0') {
      const raw = { ...registrationOf(id), version: { ...registrationOf(id).version, version } };
      const { version: proposal, ...registration } = CapabilityRegistration.parse(raw);
      const { proposed, documents } = must(
        prepareProposal(id, proposal, raw.version, { ...PROPOSAL_RULES, whyUnvettable: () => undefined }),
      );
      const { kind, category, owner, publishers = [] } = registration;
      const blobs = [...documents].map(([digest, text]) => ({ digest, bytes: Buffer.from(text) }));
      const known = view.capability(id).state !== undefined;
      const facts = { capability: id, kind, category, owner, publishers, requestDigest: digestOf(raw) };
      await act(
        id,
        'registrar',
        (now) => {
          const by = { actor: 'registrar', time: now };
          return known
            ? { type: 'propose', proposal: proposed, ...by }
            : { type: 'register', registration: facts, proposal: proposed, ...by };
        },
        blobs,
      );
      const exceptions = ['signature_missing' as const];
      await act(id, 'reviewer', (now) => ({
        type: 'review',
        version,
        verdict: 'approved',
        reason: 'read it',
        exceptions,
        actor: 'reviewer',
        time: now,
      }));
    },

    suspend: (id: string, version = '1.0.0') =>
      act(id, 'operator', (now) => ({
        type: 'suspend',
        version,
        reason: 'odd',
        directiveId: randomUUID(),
        actor: 'operator',
        time: now,
      })),

    async putPolicy(cedar: string) {
      const blob = textBlob(cedar);
      const put = (
        actor: string,
        command:
          | { type: 'propose'; cedar: Digest; reason: string }
          | { type: 'review'; policyVersion: number; verdict: 'approved'; reason: string },
      ) =>
        write(actor, (now) => {
          const { state, revision } = view.policySet('default');
          const facts = must(policyDecider.decide({ ...command, set: 'default', actor, time: now }, state));
          return { writes: [writeOf('policy-default', revision, facts)], blobs: [blob] };
        });
      await put('registrar', { type: 'propose', cedar: blob.digest, reason: 'needed' });
      const policyVersion = view.policySet('default').state.versions.size;
      await put('reviewer', { type: 'review', policyVersion, verdict: 'approved', reason: 'fine' });
    },

    async issue(target: Target): Promise<string> {
      const id = randomUUID();
      const by = { reason: 'drill', actor: 'operator' };
      await write('operator', (now) => ({
        writes: [must(directiveWrite(view, { type: 'issue', id, target, ...by, time: now }))],
      }));
      return id;
    },
    lift: (id: string) =>
      write('operator', (now) => ({
        writes: [must(directiveWrite(view, { type: 'lift', id, reason: 'over', actor: 'operator', time: now }))],
      })),

    async open(request: Partial<OpenTask> = {}, host = 'host-1', traceId = newTraceId()) {
      const taskId = randomUUID();
      const user = { id: 'ann', roles: ['clerk'], attributes: { team: 'blue' } };
      const scope = [{ capability: 'notes', effects: ['read' as const] }];
      must(
        await tasks.open({
          taskId,
          traceId,
          caller: { name: host },
          request: { agent: 'helper', user, purpose: 'tidy up', scope, ...request },
        }),
      );
      return { taskId, traceId };
    },

    async authorize(taskId: string, more: Partial<AuthorizeRequest> = {}, host = 'host-1', traceparent?: string) {
      const observed = { definitionDigest: pinnedDigest(view), server: SERVER };
      const request = {
        callId: randomUUID(),
        taskId,
        capability: 'notes',
        operation: 'read',
        arguments: { key: 'a secret' },
        observed,
      };
      return must(await authorizer.authorize({ ...request, ...more }, { name: host }, traceparent));
    },

    async respond(taskId: string, callId: string, said: string | JsonObject = 'the note') {
      const result = typeof said === 'string' ? { content: [{ type: 'text', text: said }] } : said;
      return must(await responder.respond(callId, responseText({ taskId, result }), { name: 'host-1' }));
    },
    async succeed(taskId: string, callId: string) {
      const effect = { type: 'read' as const, reference: 'note-7' };
      return must(await responder.recordOutcome(callId, { taskId, status: 'succeeded', effect }, { name: 'host-1' }));
    },
  };
  for (const [name, role] of PRINCIPALS) await addPrincipal(name, role);
  await world.register('notes');
  await world.putPolicy(ALLOW_READING);
  return world;
}

const PRINCIPALS: readonly [string, Role][] = [
  ['registrar', 'registrar'],
  ['reviewer', 'reviewer'],
  ['operator', 'operator'],
  ['approver', 'approver'],
  ['host-1', 'host'],
  ['host-2', 'host'],
];

const registrationOf = (id: string) => ({
  id,
  kind: 'mcp-server',
  category: 'storage',
  owner: 'the notes team',
  publishers: ['acme'],
  version: {
    version: '1.0.0',
    source: { type: 'npm', name: id },
    definition: DEFINITION,
    probe: { protocolVersion: '2025-11-25', clientCapabilities: {} },
    manifest: {
      operations: {
        read: { effects: ['read'] },
        write: { effects: ['write'] },
        'resource:notes://public': { effects: ['read'] },
      },
      sensitivity: 'internal',
      server: SERVER,
    },
  } satisfies JsonObject,
});

function pinnedDigest(view: ControlView): Digest {
  const version = view.capability('notes').state?.versions.get('1.0.0');
  if (version === undefined) throw new Error('not registered');
  return version.definitionDigest;
}

export function must<Value>(result: Result<Value, unknown>): Value {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

/** A trace without damage, as tests look into it. */
export type WholeTrace = Omit<TraceEvidence, 'calls' | 'tasks'> & {
  readonly calls: readonly CallEvidence[];
  readonly tasks: readonly TracedTask[];
};

/** All evidence of a trace, as an auditor reads it. */
export async function traceOf(world: World, traceId: string, log?: EventLog): Promise<WholeTrace | undefined> {
  const bytes = must(await world.audit(log).trace(traceId, world.now()));
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as WholeTrace);
}

/** The replay of a trace without damage, as tests look into it. */
export async function replayOf(
  world: World,
  traceId: string,
  log?: EventLog,
): Promise<Omit<TraceReplay, 'calls'> & { readonly calls: readonly ReplayedCall[] }> {
  const result = must(await world.audit(log).replay(traceId)) ?? assert.fail();
  return { ...result, calls: result.calls as readonly ReplayedCall[] };
}

/** The history of a call, out of the histories of its answer. */
export function historyOf(trace: WholeTrace | undefined, call: CallEvidence | undefined): StoredEvent[] {
  const positions = new Set(call?.capabilityHistory);
  const events = trace?.histories[call?.capability ?? ''] ?? [];
  return events.filter((event) => positions.has(event.position) && 'type' in event) as StoredEvent[];
}

/** The same log with some of its answers edited, as by somebody who can write its store. */
export function tampered(log: EventLog, edits: Partial<EventLog>): EventLog {
  const { payload } = edits;
  const payloads: EventLog['payloads'] = (places) =>
    Promise.all(places.map(async ({ stream, revision }) => payload?.(stream, revision)));
  const edited: Partial<EventLog> = payload === undefined ? edits : { payloads, ...edits };
  return new Proxy(log, {
    get(target, name) {
      if (Object.hasOwn(edited, name)) return edited[name as keyof EventLog];
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

/** Every event that passes is edited, wherever it is read from. */
export function withEvents(log: EventLog, edit: (event: RecordedEvent) => RecordedEvent | undefined): EventLog {
  const edited = (events: readonly RecordedEvent[]) => events.map(edit).filter((event) => event !== undefined);
  return tampered(log, {
    read: async (stream, after, limit) => edited(await log.read(stream, after, limit)),
    readAll: async (options) => edited(await log.readAll(options)),
  });
}

/** A forger who knows how ids are made: other data, and an id that fits it. */
export function forged(
  event: RecordedEvent,
  change: (data: Record<string, unknown>) => Record<string, unknown>,
): RecordedEvent {
  const { id: _, ...rest } = parseEvent(event.json) as Event<string, Record<string, unknown>>;
  const family = familyOf(event.stream);
  // A forger writes the form of the version too.
  const { data } = family?.asOfItsVersion({ ...rest, id: '' }) ?? rest;
  const changed = { ...rest, data: change(data as Record<string, unknown>) };
  const written = family?.written(changed);
  return {
    ...event,
    json: sealEvent(written?.schemaVersion === rest.schemaVersion ? { ...rest, ...written } : changed).json,
  };
}

/** An event as a later version of Sallyport would write it: the next schema version, and an id that fits it. */
export function newer(event: RecordedEvent): RecordedEvent {
  const { id: _, ...rest } = parseEvent(event.json);
  return { ...event, json: sealEvent({ ...rest, schemaVersion: rest.schemaVersion + 1 }).json };
}

/** A response as version 1 recorded it: with these findings, and never searched. */
export function asFirstResponse(event: RecordedEvent, findings: readonly JsonObject[]): RecordedEvent {
  const { id: _, ...rest } = parseEvent(event.json) as Event<string, Record<string, unknown>>;
  const { label: _label, engines: _engines, ...data } = rest.data;
  return { ...event, json: sealEvent({ ...rest, schemaVersion: 1, data: { ...data, findings } }).json };
}

/** A flipped bit: other text under the same id. */
export const damaged = (event: RecordedEvent, from: string, to: string): RecordedEvent => ({
  ...event,
  json: event.json.replace(from, to),
});
