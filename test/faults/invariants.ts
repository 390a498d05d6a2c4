import { attemptsOf } from '../../libs/audit/attempts.js';
import { Contents } from '../../libs/audit/contents.js';
import { History } from '../../libs/audit/history.js';
import { Reconstructor } from '../../libs/audit/reconstruct.js';
import { replayed } from '../../libs/audit/replay.js';
import { familyOf } from '../../libs/streams/catalogue.js';
import type { CallDecided } from '../../libs/calls/events.js';
import type { AuthorizeAnswer } from '../../libs/contract/calls.js';
import { payloadPlace } from '../../libs/payloads/payload-place.js';
import type { ResponseAnswer } from '../../libs/decision-point/response.js';
import { parseEvent } from '../../libs/event-log/event.js';
import {
  LogOverloaded,
  LogUnavailable,
  type EventLog,
  type EventPlace,
  type RecordedEvent,
} from '../../libs/event-log/port.js';
import { verifySealed } from '../../libs/event-log/verify.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { digestOf } from '../../libs/kernel/digest.js';
import { openPayload, verifyCommitments, type OpenedPayload } from '../../libs/payloads/payload.js';
import type { Answer, AskedCall } from './actors.js';
import { REDACTED, SECRET } from './content-actors.js';
import { ContentOracle } from './content-oracle.js';
import { broken, Oracle, type Breach, type Seen } from './oracle.js';
import type { World } from './world.js';

const MAX_EVENTS = 100_000;
const REPLAY_AT_ONCE = 16;
const DECISIONS = new Set(['CallDecided', 'CallRefused']);

/** A breach with the step in which it happened. */
export type SeenBreach = Breach & { readonly step: number };

/** Checks the eight promises against the log and the answers that callers got. */
export class Invariants {
  readonly oracle: Oracle;
  private readonly contentOracle: ContentOracle;
  /** Allows that were answered, and repeats that stayed alive because the service's clock was set back and frozen. */
  allowed = 0;
  stretched = 0;
  private readonly seen: (Seen & { readonly recorded: RecordedEvent })[] = [];
  private readonly streams = new Map<string, RecordedEvent[]>();
  private readonly unreplayed: { event: RecordedEvent; step: number }[] = [];
  private arrivals = -1;
  private readonly delivered = new Map<string, string>();

  constructor(private readonly world: World) {
    this.oracle = new Oracle(world.weather.leaseMs);
    this.contentOracle = new ContentOracle(this.oracle);
  }

  get end(): bigint {
    return this.seen.at(-1)?.position ?? 0n;
  }

  get events(): number {
    return this.seen.length;
  }

  /** The digest of everything that two runs of one history share. */
  get trace(): string {
    const lines = this.seen.map(({ event, position }) => [String(position), event.type, event.stream, event.time]);
    return digestOf(lines);
  }

  /** The promises that the events and the answers since the last step break. */
  async check(answers: readonly Answer[], step: number): Promise<SeenBreach[]> {
    const { arrivals } = this.world.scheduler;
    const breaches = arrivals === this.arrivals ? [] : await this.checkLog(step);
    this.arrivals = arrivals;
    for (const answer of answers) breaches.push(...(await this.checkAnswer(answer)));
    if (this.unreplayed.length >= REPLAY_AT_ONCE) breaches.push(...(await this.replay()));
    return breaches.map((breach) => ({ step, ...breach }));
  }

  /** The promises that can only be judged at the end. */
  async checkAll(step: number): Promise<SeenBreach[]> {
    const breaches = [...(await this.checkLog(step)), ...(await this.replay())];
    return breaches.map((breach) => ({ step, ...breach }));
  }

  private async checkLog(step: number): Promise<Breach[]> {
    const { scheduler, inner } = this.world;
    const all = await scheduler.finish(inner.readAll({ after: 0n, limit: MAX_EVENTS }));
    const edited = this.seen.find(({ recorded }, index) => !isSame(all[index], recorded));
    const breaches = edited === undefined ? [] : [broken(7, `an event of ${edited.recorded.stream} was edited`)];
    const fresh = all.slice(this.seen.length).map((event) => ({ ...event }));
    for (const event of fresh) breaches.push(...(await this.take(event)), ...this.checkRefused(event, step));
    for (const event of fresh) if (DECISIONS.has(event.type)) this.unreplayed.push({ event, step });
    return breaches;
  }

  /** Promise 8: an event that was answered with a failure is not written afterwards, unless it only stops something. */
  private checkRefused({ stream, json }: RecordedEvent, step: number): Breach[] {
    const { id, type } = parseEvent(json);
    const failed = this.world.failed.get(id);
    if (failed === undefined || failed.standing) return [];
    if (!failed.isUnknown) return [broken(8, `${type} in ${stream} was answered as not written`)];
    return step > failed.step && !failed.isLate ? [broken(8, `${type} in ${stream} was written after its answer`)] : [];
  }

  /** Promise 7 for one event, then the oracle's judgement of it. */
  private async take(recorded: RecordedEvent): Promise<Breach[]> {
    const { stream, revision, json, position } = recorded;
    const before = this.streams.get(stream) ?? [];
    const breaches: Breach[] = [];
    const head = verifySealed(json);
    if (head?.stream !== stream || head.revision !== revision || head.type !== recorded.type)
      breaches.push(broken(7, `an event of ${stream} is not what was sealed`));
    if (revision !== before.length + 1) breaches.push(broken(7, `a gap in ${stream} before ${revision}`));
    if (position < this.end) breaches.push(broken(7, 'positions that go back'));
    this.streams.set(stream, [...before, recorded]);
    const event = familyOf(stream)?.read(json) ?? parseEvent(json);
    const { taskId, commitments } = event.data as Partial<CallDecided>;
    const opened = event.type === 'CallDecided' ? await this.open(recorded, taskId ?? '') : undefined;
    if (event.type === 'CallDecided' && (opened === undefined || !verifyCommitments(opened, { ...commitments })))
      breaches.push(broken(2, 'a decision without the content that it commits to'));
    const seen = { position, event, content: opened?.parts ?? {} };
    this.seen.push({ ...seen, recorded });
    return [...breaches, ...this.oracle.take(seen), ...this.contentOracle.take(event)];
  }

  /**
   * Promise 6, for the decisions since the last check. Their basis no longer changes, so a later check gives the same
   * result.
   */
  private async replay(): Promise<SeenBreach[]> {
    const log = this.mirror();
    const contents = new Contents(log, this.world.keys);
    const reconstructor = new Reconstructor(log, this.world.ground.engines, new History(log), contents);
    for (const { event, step } of this.unreplayed.splice(0)) {
      const [attempt] = attemptsOf([event]).attempts;
      if (attempt === undefined) return [{ ...broken(6, 'a decision that cannot be read'), step }];
      const { identical, recorded, redecided } = await replayed(reconstructor, attempt);
      const what = `${recorded.reason} was recorded and replays as ${redecided.reason}`;
      if (identical !== true) return [{ ...broken(6, what), step }];
    }
    return [];
  }

  /** The log as seen so far. Reading it needs no turn of the clock. */
  private mirror(): EventLog {
    const payloads = (places: readonly EventPlace[]) =>
      Promise.all(places.map(({ stream, revision }) => this.payload(stream, revision)));
    const read = async (stream: string, after = 0) => (this.streams.get(stream) ?? []).slice(after);
    return { read, payloads } as Pick<EventLog, 'read' | 'payloads'> as EventLog;
  }

  private payload(stream: string, revision: number): Promise<Uint8Array | undefined> {
    const { scheduler, inner } = this.world;
    return scheduler.finish(inner.payload(stream, revision));
  }

  private async open(event: RecordedEvent, taskId: string): Promise<OpenedPayload | undefined> {
    const key = await this.world.keys.get(taskId);
    const bytes = await this.payload(event.stream, event.revision);
    if (key === undefined || bytes === undefined) return undefined;
    const opened = openPayload(key, payloadPlace(event), bytes);
    return opened.ok ? opened.value : undefined;
  }

  private async checkAnswer(answer: Answer): Promise<Breach[]> {
    if (answer.error !== undefined) {
      const { error } = answer;
      if (error instanceof LogUnavailable || error instanceof LogOverloaded) return [];
      return [broken('errors', `${answer.kind}: ${error instanceof Error ? (error.stack ?? '') : 'thrown'}`)];
    }
    if (answer.result?.ok !== true) return [];
    switch (answer.kind) {
      case 'authorize':
        return this.checkDecision(answer.asked, answer.result.value);
      case 'respond':
        return this.checkDelivery(answer, answer.result.value);
      case 'command':
        return answer.isDone(this.oracle) ? [] : [broken(2, `${answer.name} was answered and is not in the log`)];
    }
  }

  private checkDecision(asked: AskedCall, answer: AuthorizeAnswer): Breach[] {
    const record = this.recordOf(asked, answer);
    const { decision } = answer;
    if (record === undefined) return [broken(2, `${decision} (${answer.reason}) was answered without its record`)];
    if (decision === 'deny') return [];
    this.allowed += 1;
    const breaches: Breach[] = [];
    const args = canonicalJson(record.content['arguments'] ?? null);
    const sent = canonicalJson(answer.outbound?.arguments);
    if (args.replaceAll(SECRET, REDACTED) !== sent || args !== canonicalJson(asked.request.arguments))
      breaches.push(broken(2, 'an allow was answered with other content than its record has'));
    if (JSON.stringify(answer.outbound).includes(SECRET)) breaches.push(broken('content', 'a secret may leave'));
    if (asked.staleToken) breaches.push(broken(3, 'an allow was answered to a token that is not valid any more'));
    if (asked.finished) breaches.push(broken(3, 'an allow was answered for a call that has its response'));
    const recordedBefore = record.position <= asked.startedAt;
    if (recordedBefore && asked.stop !== undefined)
      breaches.push(broken(3, `an allow was answered although ${asked.stop}`));
    if (recordedBefore && asked.voidEpoch > answer.epoch)
      breaches.push(broken(3, 'an allow was answered that a directive has made void'));
    const { scheduler, sentAtMs, weather } = this.world;
    const ageMs = scheduler.nowMs - (sentAtMs.get(record.event.id) ?? 0);
    if (ageMs <= weather.leaseMs) return breaches;
    if (scheduler.wasSetBack) this.stretched += 1;
    else breaches.push(broken(4, `an allow was answered ${ageMs} ms after it was decided`));
    return breaches;
  }

  /** The event that an answer names. It must be in the log by now, with the same content. */
  private recordOf({ host }: AskedCall, answer: AuthorizeAnswer): Seen | undefined {
    return this.seen.findLast(({ event, position }) => {
      if (!DECISIONS.has(event.type)) return false;
      const data = event.data as CallDecided;
      return (
        data.callId === answer.callId &&
        data.taskId === answer.taskId &&
        data.host === host &&
        data.decision === answer.decision &&
        data.reason === answer.reason &&
        data.capability === answer.capability &&
        data.version === answer.version &&
        data.operation === answer.operation &&
        data.expiresAt === answer.expiresAt &&
        data.basis['directives'] === answer.epoch &&
        position <= BigInt(answer.position)
      );
    });
  }

  /** Promise 5 for what a host was given. */
  private async checkDelivery(answer: Extract<Answer, { kind: 'respond' }>, given: ResponseAnswer): Promise<Breach[]> {
    const { taskId, callId } = answer;
    const key = `${taskId}/${callId}`;
    const record = this.seen.findLast(
      ({ event }) => event.type === 'ResponseValidated' && `${taskId}/${(event.data as CallDecided).callId}` === key,
    );
    const recorded = this.oracle.calls.get(key)?.response;
    if (record === undefined || recorded === undefined)
      return [broken(5, 'a response was answered without its record')];
    // A stop, or the end of the task, overrules a verdict.
    const isOverruled = given.verdict === 'rejected' && given.content === undefined;
    if (recorded.verdict !== given.verdict && !isOverruled)
      return [broken(5, 'a response was answered with another verdict')];
    if (given.content === undefined) return given.verdict === 'accepted' ? [broken(5, 'nothing was delivered')] : [];
    if (!this.contentOracle.mayHave(key, recorded))
      return [broken(5, 'a response was delivered that was not accepted')];
    if (answer.isVoid) return [broken(5, 'a response was delivered after a stop')];
    const content = JSON.parse(given.content.toString()) as { integrity: string; digest: string };
    if (content.integrity !== 'untrusted') return [broken(5, 'a response was delivered without its label')];
    const opened = await this.open({ ...record.event, position: 0n, json: '' }, taskId);
    const { digest } = content;
    const before = this.delivered.get(key) ?? digest;
    this.delivered.set(key, digest);
    const kept = opened?.parts['validated'] as { digest?: string } | undefined;
    return before === digest && kept?.digest === digest
      ? []
      : [broken(5, 'one response was delivered in two envelopes')];
  }
}

function isSame(one: RecordedEvent | undefined, other: RecordedEvent): boolean {
  return one?.json === other.json && one.stream === other.stream && one.revision === other.revision;
}
