import { randomUUID } from 'node:crypto';
import type { AuthorizeAnswer } from '../../libs/contract/calls.js';
import type { ResponseAnswer } from '../../libs/decision-point/response.js';
import type { AuthorizeRequest } from '../../libs/calls/requests.js';
import { fingerprintDefinition } from '../../libs/kernel/definition-digest.js';
import type { Digest } from '../../libs/kernel/digest.js';
import type { Refusal } from '../../libs/kernel/refusal.js';
import type { Result } from '../../libs/kernel/result.js';
import type { ScopeEntry } from '../../libs/task/scope.js';
import type { Chance } from '../support/chance.js';
import { responseText } from '../support/responses.js';
import { definitionOf, HOSTS, INTEGRITY, must, OPERATIONS, VERSIONS } from './ground.js';
import { ContentActors } from './content-actors.js';
import { Issuers, type Told } from './issuers.js';
import type { Oracle, Subject } from './oracle.js';
import type { World } from './world.js';

/** A question of a host, with the facts that held when it was asked. */
export interface AskedCall {
  readonly host: string;
  readonly request: AuthorizeRequest;
  /** The end of the log, the stop of the call, and the epoch of the last directive ever issued against it. */
  readonly startedAt: bigint;
  readonly stop: string | undefined;
  readonly voidEpoch: number;
  readonly staleToken: boolean;
  /** The response of the call was recorded before. */
  readonly finished: boolean;
}

/** The result of an actor's action. `error` is the thrown error. */
export type Answer = { readonly error?: unknown } & (
  | { readonly kind: 'authorize'; readonly asked: AskedCall; readonly result?: Result<AuthorizeAnswer, Refusal> }
  | {
      readonly kind: 'respond';
      readonly taskId: string;
      readonly callId: string;
      readonly host: string;
      /** A directive had stopped the call when this was asked. */
      readonly isVoid: boolean;
      readonly result?: Result<ResponseAnswer, Refusal>;
    }
  | {
      readonly kind: 'command';
      readonly name: string;
      readonly result?: Result<unknown, Refusal>;
      /** Whether the log shows the effect of a command that was answered. */
      readonly isDone: (oracle: Oracle) => boolean;
    }
);

export interface KnownCall {
  readonly host: string;
  readonly request: AuthorizeRequest;
  allowed: boolean;
}

interface KnownTask {
  readonly taskId: string;
  readonly host: string;
  readonly capabilities: readonly string[];
  isOpen: boolean;
  pins: ReadonlyMap<string, { version: string; definitionDigest: Digest }>;
}

const DIGESTS = new Map(
  VERSIONS.map((version) => [version, must(fingerprintDefinition(definitionOf(version))).digest]),
);

/** All actors outside of the service: hosts, operators, reviewers, admins. They act immediately and wait for nobody. */
export class Actors {
  readonly answers: Answer[] = [];
  inFlight = 0;
  private readonly tasks: KnownTask[] = [];
  private readonly calls: KnownCall[] = [];
  private readonly issuers: Issuers;
  private readonly content: ContentActors | undefined;
  private readonly deeds: (readonly [number, () => void])[] = [
    [40, () => this.authorize()],
    [9, () => this.respond()],
    [5, () => this.recordOutcome()],
    [6, () => this.open()],
    [1, () => this.close()],
    [2, () => this.issuers.issue()],
    [7, () => this.issuers.lift()],
    [1, () => this.issuers.changeVersion('suspend', 'operator')],
    [3, () => this.issuers.changeVersion('reinstate', this.chance.of(['reviewer-b', 'operator']))],
    [0.2, () => this.issuers.changeVersion('revoke', 'operator')],
    [0.7, () => this.issuers.propose()],
    [1.5, () => this.issuers.review()],
    [2, () => this.issuers.proposePolicy()],
    [2, () => this.issuers.reviewPolicy()],
    [1, () => this.issuers.changePrincipal('rotate')],
    [0.25, () => this.issuers.changePrincipal('remove')],
  ];

  constructor(
    private readonly world: World,
    private readonly oracle: Oracle,
    private readonly logEnd: () => bigint,
  ) {
    this.issuers = new Issuers(world, oracle, this.command, () => this.tasks.at(-1)?.taskId);
    if (world.weather.content === undefined) return;
    const content = new ContentActors(world, this.command);
    this.content = content;
    this.deeds.push(
      [18, () => content.decide()],
      [24, () => this.authorize(this.askedAgain(content))],
      [8, () => this.release(content)],
      [4, () => this.fetch()],
    );
  }

  /** One actor does something. */
  act(): void {
    let at = this.chance.next() * this.deeds.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, deed] of this.deeds) {
      at -= weight;
      if (at < 0) return deed();
    }
  }

  /** The service has died: no caller receives an answer from now on. */
  hangUp(): void {
    this.inFlight = 0;
  }

  private get chance(): Chance {
    return this.world.chance;
  }

  private follow<Value>(
    promise: Promise<Value>,
    answered: (more: { result?: Value; error?: unknown }) => Answer,
  ): void {
    const { life } = this.world.service;
    this.inFlight += 1;
    const settled = (answer: Answer): void => {
      if (life.dead) return;
      this.inFlight -= 1;
      this.answers.push(answer);
    };
    promise.then(
      (result) => settled(answered({ result })),
      (error: unknown) => settled(answered({ error })),
    );
  }

  private readonly command: Told = (name, result, isDone) =>
    this.follow(result, (more) => ({ kind: 'command', name, isDone, ...more }));

  private authorize(again?: KnownCall): void {
    const { chance, world } = this;
    if (!this.tasks.some(({ isOpen }) => isOpen) && chance.happens(0.9)) return this.open();
    const earlier = again ?? (chance.happens(0.4) ? this.earlierCall() : undefined);
    const known = earlier === undefined ? this.newCall() : this.repeated(earlier);
    const { host, request } = known;
    const stale = chance.happens(0.05);
    const caller = world.callerOf(host, stale);
    const version = request.version ?? this.oracle.tasks.get(request.taskId)?.pins.get(request.capability)?.version;
    const subject = { ...request, host, version };
    const asked = {
      host,
      request,
      startedAt: this.logEnd(),
      stop: this.oracle.stopOf(subject),
      voidEpoch: this.oracle.voidEpoch(subject),
      staleToken: this.oracle.retired.has(caller.identity?.digest ?? ''),
      finished: this.oracle.calls.get(`${request.taskId}/${request.callId}`)?.response !== undefined,
    };
    const answer = world.service.authorizer.authorize(request, caller, undefined);
    const heard = answer.then((result) => {
      if (result.ok && result.value.decision === 'allow') known.allowed = true;
      if (result.ok) this.content?.heard(known, result.value);
      return result;
    });
    this.follow(heard, (more) => ({ kind: 'authorize', asked, ...more }));
  }

  /** A call that waited for an approval, or another call with its content. */
  private askedAgain(content: ContentActors): KnownCall | undefined {
    const call = content.waiting();
    if (call === undefined || this.chance.happens(0.4)) return call;
    const other = { ...call, request: { ...call.request, callId: randomUUID() }, allowed: false };
    this.calls.push(other);
    return other;
  }

  private newCall(): KnownCall {
    const { chance } = this;
    const task = chance.happens(0.98) ? this.someTask() : undefined;
    const host = task === undefined || chance.happens(0.03) ? chance.of(HOSTS) : task.host;
    const capability =
      task !== undefined && chance.happens(0.9) ? chance.of(task.capabilities) : chance.of(['notes', 'mail', 'ghost']);
    const pin = task?.pins.get(capability);
    const pinned = pin?.definitionDigest ?? DIGESTS.get('1.0.0');
    const digest = chance.happens(0.04) ? DIGESTS.get('2.0.0') : pinned;
    const integrity = chance.happens(0.02) ? 'sha512-other' : INTEGRITY;
    const drifted = chance.happens(0.02) ? { definition: definitionOf(`drift-${chance.whole(1, 3)}`) } : undefined;
    const request: AuthorizeRequest = {
      callId: randomUUID(),
      taskId: task?.taskId ?? randomUUID(),
      capability,
      operation: chance.happens(0.02) ? 'unheard-of' : chance.of(OPERATIONS),
      arguments: { key: chance.happens(0.04) ? 7 : chance.of(['a', 'a', 'b']) },
      ...(chance.happens(0.05) ? { version: chance.of(VERSIONS) } : {}),
      observed: {
        ...(drifted ?? (digest === undefined || chance.happens(0.01) ? {} : { definitionDigest: digest })),
        server: { method: 'package', integrity },
      },
    };
    const call = { host, request: this.content?.filled(request) ?? request, allowed: false };
    this.calls.push(call);
    return call;
  }

  /** One of the last tasks; rarely one that may not exist yet. */
  private someTask(): KnownTask | undefined {
    const open = this.tasks.filter(({ isOpen }) => isOpen || this.chance.happens(0.1)).slice(-4);
    return open.length === 0 ? undefined : this.chance.of(open);
  }

  /** One of the last calls, mostly one that was allowed. */
  private someCall(): KnownCall | undefined {
    const allowed = this.calls.filter((call) => call.allowed || this.chance.happens(0.05)).slice(-6);
    return allowed.length === 0 ? undefined : this.chance.of(allowed);
  }

  private earlierCall(): KnownCall | undefined {
    const last = this.calls.slice(-8);
    if (this.chance.happens(0.6)) return this.someCall();
    return last.length === 0 ? undefined : this.chance.of(last);
  }

  /** The same call again. Rarely, another body has the same id, or another host sends it. */
  private repeated(call: KnownCall): KnownCall {
    const { request } = call;
    if (this.chance.happens(0.1)) return { ...call, request: { ...request, arguments: { key: 'other' } } };
    return this.chance.happens(0.03) ? { ...call, host: this.chance.of(HOSTS) } : call;
  }

  private respond(): void {
    const call = this.someCall();
    if (call === undefined) return this.authorize();
    const { host, request } = call;
    const { taskId, callId } = request;
    const text = `${this.content?.text() ?? 'note'} ${this.chance.happens(0.1) ? 'other' : 'same'}`;
    const result = { content: [{ type: 'text', text }] };
    const caller = this.world.callerOf(host);
    const answer = this.world.service.responder.respond(callId, responseText({ taskId, result }), caller);
    const isVoid = this.isVoid(taskId, callId);
    this.follow(answer, (more) => ({ kind: 'respond', taskId, callId, host, isVoid, ...more }));
  }

  private isVoid(taskId: string, callId: string): boolean {
    const { allowed } = this.oracle.calls.get(`${taskId}/${callId}`) ?? {};
    return allowed !== undefined && this.oracle.voidEpoch(allowed as Subject) > (allowed.basis['directives'] ?? 0);
  }

  /** A host asks for a recorded response. */
  private fetch(): void {
    const call = this.someCall();
    if (call === undefined) return this.authorize();
    const { host, request } = call;
    const { taskId, callId } = request;
    const answer = this.world.service.responder.fetch(callId, taskId, this.world.callerOf(host));
    const isVoid = this.isVoid(taskId, callId);
    this.follow(answer, (more) => ({ kind: 'respond', taskId, callId, host, isVoid, ...more }));
  }

  private release(content: ContentActors): void {
    const call = this.someCall();
    if (call === undefined) return this.authorize();
    content.release(call);
  }

  private recordOutcome(): void {
    const call = this.someCall();
    if (call === undefined) return this.authorize();
    const { host, request } = call;
    const { taskId, callId } = request;
    const status = this.chance.of(['succeeded', 'failed', 'unknown'] as const);
    const answer = this.world.service.responder.recordOutcome(callId, { taskId, status }, this.world.callerOf(host));
    this.command(
      'outcome',
      answer,
      (oracle) => oracle.calls.get(`${taskId}/${callId}`)?.outcomes.includes(status) === true,
    );
  }

  private open(): void {
    const { chance, world } = this;
    const host = chance.of(HOSTS);
    const capabilities = chance.of([['notes'], ['mail'], ['notes', 'mail']]);
    const scope = capabilities.map((capability): ScopeEntry => ({
      capability,
      ...chance.of([
        { effects: ['read' as const, 'write' as const] },
        { effects: ['read' as const] },
        { operations: ['read', 'tidy'] },
        { effects: ['read' as const, 'write' as const], maxCalls: chance.whole(1, 3) },
        { operations: ['read', 'write'], maxCalls: 1 },
      ]),
      ...(chance.happens(0.1) ? { version: chance.of(VERSIONS) } : {}),
    }));
    const request = {
      agent: 'helper',
      user: { id: 'ann', roles: [chance.happens(0.9) ? 'clerk' : 'guest'] },
      purpose: 'tidy up',
      scope,
      ...(chance.happens(0.12) ? { ttlMs: chance.of([200, 2_000]) } : {}),
      ...this.content?.terms(),
    };
    const taskId = randomUUID();
    const known: KnownTask = { taskId, host, capabilities, isOpen: false, pins: new Map() };
    this.tasks.push(known);
    const answer = world.service.tasks.open({ taskId, caller: world.callerOf(host), request });
    const opened = answer.then((result) => {
      if (result.ok) Object.assign(known, { isOpen: true, pins: new Map(result.value.lane.task.pins) });
      return result;
    });
    this.command('open', opened, (oracle) => oracle.tasks.has(taskId));
  }

  private close(): void {
    const task = this.someTask();
    if (task === undefined) return this.open();
    const { taskId, host } = task;
    const answer = this.world.service.tasks.close(taskId, this.world.callerOf(host), 'done');
    this.command('close', answer, (oracle) => oracle.tasks.get(taskId)?.closed === true);
  }
}
