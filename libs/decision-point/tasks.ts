import { randomBytes } from 'node:crypto';
import { checkBatch } from '../event-log/batch.js';
import { afterCommit } from '../event-log/after-commit.js';
import { LogUnavailable, type Batch, type EventLog, type RecordedEvent } from '../event-log/port.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { keyedDigest, type Digest } from '../kernel/digest.js';
import { refusal, type Refusal } from '../kernel/refusal.js';
import { err, ok, type Result } from '../kernel/result.js';
import { inOneTurn } from '../kernel/synchronous.js';
import { toInstant, toMs, type Instant } from '../kernel/time.js';
import { KEY_BYTES, KeyShredded, taskKeyDigest, type Keyring } from '../payloads/keyring.js';
import { sealPayload } from '../payloads/payload.js';
import type { Pseudonym } from '../payloads/pseudonym.js';
import type { HostRights } from '../principal/decider.js';
import { taskDecider } from '../task/decider.js';
import { resolvePins } from '../task/pins.js';
import { DEFAULT_TTL_MS, type OpenTask } from '../task/request.js';
import { contradictoryVersion } from '../task/scope.js';
import { callerPrecondition, type Caller } from '../control/caller.js';
import type { ControlPlane } from '../control/control-plane.js';
import { sealFact } from '../streams/facts.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { isForeign, newTraceId } from './trace.js';
import { TaskLane } from './task-lane.js';
import type { TaskLanes } from './task-lanes.js';

const MAX_TRIES = 20;

/** A task to open, with its future ids. */
export interface TaskToOpen {
  readonly taskId: string;
  /** The trace that the caller names in its request. It must not hold another host's task. */
  readonly traceId?: string | undefined;
  /** The trace that the caller is in. It is used unless it belongs to another host. */
  readonly parentTraceId?: string | undefined;
  readonly caller: Caller;
  readonly request: OpenTask;
}

interface JoinedTrace {
  readonly traceId: string | undefined;
  readonly joined: readonly RecordedEvent[];
}

/** The material of a new task that is made before its turn. */
interface Material extends JoinedTrace {
  readonly key: Uint8Array;
  readonly requestDigest: Digest;
  readonly pseudonym: Pseudonym;
}

/** A pseudonym of the size of a real one, to plan a task that may be refused. */
const NOBODY: Pseudonym = `p:${'-'.repeat(22)}`;

/** Opens and closes tasks. A task belongs to its host alone: for any other host it does not exist. */
export class Tasks {
  constructor(
    private readonly log: EventLog,
    private readonly plane: ControlPlane,
    private readonly lanes: TaskLanes,
    private readonly keys: Keyring,
  ) {}

  /** Opens a task, which binds it to versions. The same id with the same body gets the recorded answer. */
  async open(task: TaskToOpen): Promise<Result<{ lane: TaskLane; position: bigint }, Refusal>> {
    const { taskId, caller, request } = task;
    const host = caller.name;
    const allowed = withinCeilings(request, this.plane.view.principal(host).state?.host);
    if (!allowed.ok) return allowed;
    const contradictory = contradictoryVersion(request.scope);
    if (contradictory !== undefined) {
      const message = `two versions of ${contradictory}`;
      return err(
        refusal('malformed_request', 'a task pins one version of each capability', [{ path: '/scope', message }]),
      );
    }
    const known = await this.keys.get(taskId);
    const refused = known === undefined ? await this.refusalOf(task) : undefined;
    if (refused !== undefined) return err(refused);
    const key = known ?? (await this.newKeyOf(taskId, request.user.id));
    if (key === undefined) return err(refusal('already_exists', 'another task had this id'));
    const requestDigest = keyedDigest(key, canonicalJson({ host, request }));
    const run = await this.plane.run(
      caller,
      (now, existing) => {
        if (!(existing instanceof TaskLane)) {
          if (this.keys.holdsUser(existing.pseudonym)) return this.openingOf(task, existing, now);
          return err(refusal('revision_conflict', 'the user was erased meanwhile; try again'));
        }
        return existing.task.requestDigest === requestDigest
          ? ok({ writes: [] })
          : err(refusal('already_exists', 'another task has this id'));
      },
      async () => (await this.lanes.get(taskId)) ?? this.materialOf(task, key, requestDigest),
    );
    if (!run.ok) return run;
    // A load that began before the commit may still be running and find nothing. The next one finds the task.
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const lane = await afterCommit(() => this.lanes.get(taskId));
      // The position of TaskOpened, which a later reader gets too. The append may answer with the position of
      // TaskJoined.
      if (lane !== undefined) return ok({ lane, position: lane.position });
    }
    return err(refusal('already_exists', 'another task has this id'));
  }

  /** Closes a task. Closing a closed task changes nothing. */
  async close(
    taskId: string,
    caller: Caller,
    reason: string | undefined,
  ): Promise<Result<{ lane: TaskLane; position: bigint }, Refusal>> {
    const host = caller.name;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const lane = await this.lanes.get(taskId);
      if (lane === undefined || lane.task.host !== host) return err(refusal('not_found', 'no such task'));
      if (lane.givenUp) continue;
      const closing = inOneTurn(() => this.closingOf(lane, caller, reason));
      if (!closing.ok) return closing;
      const isNews = closing.value.writes.length > 0;
      const position = await (isNews ? this.lanes.commit(lane, closing.value) : this.lanes.confirm(lane));
      if (position === undefined) continue;
      if (isNews) this.lanes.letGo(lane);
      return ok({ lane, position });
    }
    return err(refusal('revision_conflict', 'the task is too busy; try again'));
  }

  /** The batch that closes a task. It is empty if the task is closed already. */
  private closingOf(lane: TaskLane, caller: Caller, reason: string | undefined): Result<Batch, Refusal> {
    const { view, time } = this.plane;
    const precondition = callerPrecondition(view, caller);
    if (!precondition.ok) return precondition;
    const { taskStream: stream, taskRevision: expected, key } = lane;
    const place = payloadPlace({ stream, revision: expected + 1 });
    const payload = reason === undefined ? undefined : sealPayload(key, place, { reason });
    const commitments = payload === undefined ? undefined : { ...payload.commitments };
    const command = { type: 'close', commitments, actor: caller.name, time: time.now() } as const;
    const decided = taskDecider.decide(command, lane.task);
    if (!decided.ok) return decided;
    const sealed = defined({ payload: payload?.bytes });
    const events = decided.value.map((fact) => sealFact(stream, expected + 1, fact, sealed));
    return ok({ writes: events.length === 0 ? [] : [{ stream, expected, events }], checks: precondition.value });
  }

  /** A task of this host, once everything that it shows is durable. */
  async get(taskId: string, host: string): Promise<TaskLane | undefined> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const lane = await this.lanes.get(taskId);
      if (lane === undefined || lane.task.host !== host) return undefined;
      if (!lane.givenUp && (await this.lanes.confirm(lane)) !== undefined) return lane;
    }
    throw new LogUnavailable('the task is too busy to be read');
  }

  /**
   * The reason why a task cannot be opened now. It is found before the task has a key, so that a refused task leaves no
   * key behind. Throws `EventTooLarge`.
   */
  private async refusalOf(task: TaskToOpen): Promise<Refusal | undefined> {
    const throwaway = randomBytes(KEY_BYTES);
    const digest = keyedDigest(throwaway, '');
    const trace = await this.traceFor(task);
    const material = { ...trace, key: throwaway, requestDigest: digest, pseudonym: NOBODY };
    const planned = inOneTurn(() => this.openingOf(task, material, this.plane.time.now()));
    if (!planned.ok) return planned.error;
    checkBatch(planned.value);
    return undefined;
  }

  /** In the same write, the user gets a pseudonym. */
  private async newKeyOf(taskId: string, userId: string): Promise<Uint8Array | undefined> {
    try {
      return await this.keys.create(taskId, userId);
    } catch (error) {
      if (error instanceof KeyShredded) return undefined;
      throw error;
    }
  }

  /** The trace that a task joins, with the tasks in it. No trace if the named one belongs to another host. */
  private async traceFor({ traceId: named, parentTraceId, caller }: TaskToOpen): Promise<JoinedTrace> {
    const wanted = named ?? parentTraceId ?? newTraceId();
    const joined = await this.log.read(`trace-${wanted}`);
    if (!isForeign(joined, caller.name)) return { traceId: wanted, joined };
    return { traceId: named === undefined ? newTraceId() : undefined, joined: [] };
  }

  private async materialOf(task: TaskToOpen, key: Uint8Array, requestDigest: Digest): Promise<Material> {
    const trace = await this.traceFor(task);
    // Last: the user may be erased meanwhile.
    const pseudonym = await this.keys.pseudonymOf(task.request.user.id);
    return { ...trace, key, requestDigest, pseudonym };
  }

  /** Reads live states: the pins must come from the revisions that the append checks. */
  private openingOf(
    { taskId, parentTraceId, caller: { name: host }, request }: TaskToOpen,
    { traceId, joined, key, requestDigest, pseudonym }: Material,
    now: Instant,
  ): Result<Batch, Refusal> {
    const { view } = this.plane;
    const stream = `task-${taskId}`;
    if (traceId === undefined) return err(refusal('forbidden', 'the trace holds a task of another host'));
    const trace = `trace-${traceId}`;
    const { agent, user, purpose, scope, approve } = request;
    const { pins, unresolved } = resolvePins(scope, (id) => view.capability(id).state);
    const payload = sealPayload(key, payloadPlace({ stream, revision: 1 }), {
      purpose,
      attributes: user.attributes ?? {},
      user: user.id,
    });
    const opened = {
      ...(approve === undefined ? {} : { approve }),
      taskId,
      host,
      agent,
      user: { id: pseudonym, roles: user.roles, attestedBy: host },
      scope,
      pins,
      unresolved,
      expiresAt: toInstant(toMs(now) + (request.ttlMs ?? DEFAULT_TTL_MS)),
      epoch: view.directives().revision,
      commitments: { ...payload.commitments },
      keyDigest: taskKeyDigest(key),
      requestDigest,
    };
    const decided = taskDecider.decide({ type: 'open', opened, traceId, actor: host, time: now }, undefined);
    if (!decided.ok) return decided;
    // Another host's trace is not joined, but the event still refers to it.
    const parent = parentTraceId === undefined || parentTraceId === traceId ? {} : { correlationId: parentTraceId };
    const events = decided.value.map((fact) => sealFact(stream, 1, fact, { payload: payload.bytes, ...parent }));
    const join = { type: 'TaskJoined', data: { taskId, host }, actor: host, time: now, traceId };
    const expected = joined.at(-1)?.revision ?? 0;
    const capabilities = [...new Set(scope.map((entry) => entry.capability))];
    return ok({
      writes: [
        { stream, expected: 0, events },
        { stream: trace, expected, events: [sealFact(trace, expected + 1, join)] },
      ],
      checks: capabilities.map((id) => ({ stream: `capability-${id}`, expected: view.capability(id).revision })),
    });
  }
}

/** Refuses (403) a task that names an agent, user role or capability beyond what its host may name. */
function withinCeilings(request: OpenTask, rights: HostRights | undefined): Result<void, Refusal> {
  const beyond = (what: string) => err(refusal('beyond_ceiling', `the host may not open a task for this ${what}`));
  const { agents, userRoles, capabilities } = rights ?? {};
  if (agents !== undefined && !agents.includes(request.agent)) return beyond('agent');
  if (userRoles !== undefined && !request.user.roles.every((role) => userRoles.includes(role)))
    return beyond('user role');
  if (capabilities !== undefined && !request.scope.every((entry) => capabilities.includes(entry.capability))) {
    return beyond('capability');
  }
  return ok(undefined);
}
