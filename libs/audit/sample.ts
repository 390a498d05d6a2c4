import { randomBytes } from 'node:crypto';
import type { CallEvidence } from '../contract/evidence.js';
import type { CallSample, Recovery, SampledCall, SampleQuery } from '../contract/sample.js';
import { NoContent } from '../contract/tasks.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import { shownCheck } from '../decision/record.js';
import type { LogReading } from '../event-log/port.js';
import { defined } from '../kernel/defined.js';
import { digestOf } from '../kernel/digest.js';
import type { KeyReading } from '../payloads/keyring.js';
import type { CheckName } from '../vocabulary/words.js';
import { attemptsAt } from './attempts-at.js';
import type { Attempt } from './attempts.js';
import { Contents } from './contents.js';
import type { DirectiveHistory } from './directive-history.js';
import { evidenceOf, type EvidenceSources } from './evidence.js';
import { History } from './history.js';
import type { Reference } from './index/messages.js';
import type { IndexReading } from './index/reading.js';
import { Reconstructor } from './reconstruct.js';

const DEFAULT_CALLS = 10;

/** Draws calls at random, and says which of their evidence can be read back (evaluation E7). */
export class CallSampler {
  constructor(
    private readonly log: LogReading,
    private readonly keys: KeyReading,
    private readonly engines: DecisionEngines,
    private readonly index: IndexReading,
    private readonly directives: DirectiveHistory,
  ) {}

  /** Throws `LogUnavailable`, `KeyringUnavailable`, `IndexUnavailable`. */
  async sample({ calls = DEFAULT_CALLS, seed = freshSeed(), asOf }: SampleQuery): Promise<CallSample> {
    const reached = await this.index.asOf();
    const through = asOf === undefined || BigInt(asOf) > reached ? reached : BigInt(asOf);
    const { total, references } = await this.index.draw(seed, calls, through);
    const history = new History(this.log, this.directives);
    const contents = new Contents(this.log, this.keys);
    const reconstructor = new Reconstructor(this.log, this.engines, history, contents);
    const sources = { reconstructor, history, contents, users: this.keys };
    const items: SampledCall[] = [];
    for (const reference of references) items.push(await this.sampled(sources, reference));
    const recoverable = items.every((item) => item.recoverable);
    return { seed, asOf: String(through), total, recoverable, items };
  }

  private async sampled(sources: EvidenceSources, reference: Reference): Promise<SampledCall> {
    const { stream, revision } = reference;
    const place = { position: String(reference.position), stream, revision };
    const [found] = await attemptsAt(this.log, [reference]);
    if (found === undefined || 'lost' in found) return { ...place, damaged: true, recoverable: false };
    const { attempt } = found;
    const evidence = recoveryOf(attempt, await evidenceOf(sources, attempt));
    const { callId, taskId, capability, operation, decision, reason } = attempt.decided;
    const { traceId, time } = attempt.envelope;
    const recoverable = Object.values(evidence).every(
      ({ state }) => state === 'recovered' || state === 'not_applicable',
    );
    const call = { callId, attempt: attempt.decided.attempt, traceId, taskId, time, capability, operation };
    return defined({ ...place, ...call, decision, reason, recoverable, evidence });
  }
}

const freshSeed = (): string => randomBytes(16).toString('hex');

type Pieces = NonNullable<SampledCall['evidence']>;

function recoveryOf(attempt: Attempt, evidence: Omit<CallEvidence, 'capabilityHistory'>): Pieces {
  const { serverAuthentication, registry, scopeCheck, outbound, response } = evidence;
  const { decision, version, checks } = attempt.decided;
  const shown = checks.map(shownCheck);
  const reached = (...names: readonly CheckName[]): boolean =>
    shown.some(({ check, outcome }) => names.includes(check) && outcome !== 'skipped');
  const isRegistered = shown.some(({ check, outcome }) => check === 'registered' && outcome === 'pass');
  const { capability, task, user } = scopeCheck;
  const scopeIsWhole =
    (capability !== null || !reached('capability_scope')) &&
    (task !== null || !reached('task_scope')) &&
    (user !== null || !reached('user_authority'));
  const found = (registry?.definitionDigest ?? null) === null ? null : registry;
  const responded = attempt.response !== undefined || attempt.lost?.response !== undefined;
  return {
    serverIdentity: recovery(reached('server_identity'), serverAuthentication),
    version: recovery(version !== undefined && isRegistered, found),
    scopeCheck: recovery(reached('capability_scope', 'task_scope', 'user_authority'), scopeIsWhole ? scopeCheck : null),
    outbound: recovery(decision === 'allow', outbound),
    response: recovery(responded, isObject(response) ? response.raw : response),
    validation: recovery(responded, isObject(response) ? { ...response, raw: null } : response),
  };
}

const isObject = <Value>(value: Value): value is Extract<Value, object> => typeof value === 'object' && value !== null;

/** The state of one piece. A piece that applies and is absent is damaged. */
function recovery(applies: boolean, value: unknown): Recovery {
  if (!applies) return { state: 'not_applicable' };
  const gone = NoContent.safeParse(value);
  if (gone.success) return { state: gone.data };
  return value === null || value === undefined ? { state: 'damaged' } : { state: 'recovered', digest: digestOf(value) };
}
