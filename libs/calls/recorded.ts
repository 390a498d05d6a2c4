import { isJsonObject, type JsonObject } from '../kernel/canonical-json.js';
import type { Instant } from '../kernel/time.js';
import type { CheckName } from '../vocabulary/words.js';
import type { CallDecided, RecordedCheck } from './events.js';

/**
 * The short form of CallDecided and CallRefused: the data without what its event says elsewhere. It takes a third fewer
 * bytes. Version 3 is the short form of version 2, and version 5 that of version 4. They differ in their list of checks.
 *
 * - `taskId`: absent if the stream is `calls-<taskId>`. `host`: absent if the actor is the host.
 * - `attempt`: absent if 1. `contextItems`: absent if 0. `reason`: absent if `ok`.
 * - `expiresAt`: its last characters, from the first on that differs from the time of the event.
 * - `engines`: `<decider>/<cedar>`, and `/<pack>` as base64url if there is one. A record of further engines has them whole.
 * - `basis`: the revisions of `capability-<capability>`, `directives`, `policy-default` and `principal-<host>`. The fifth
 *   is that of `task-<taskId>`. Any other basis is whole.
 * - `requestDigest`, the commitments, `observed.definition` and `observed.probe`: base64url of the 32 bytes.
 * - `checks`: the number of passed checks, in the order of the list. If some did not pass, a list of such numbers.
 *   `[n]` is n skipped checks. An object is the evidence of a failed check, and `fail` one without evidence. Any other
 *   check is whole, and takes its place in the list.
 *
 * Every decision is packed once and read several times, so this code avoids dates, regular expressions and iterators.
 */

/** The checks in their order, as the form of version 3 numbers them. It never changes: other checks need another form. */
const CHECKS_3: readonly CheckName[] = [
  'registered',
  'not_disabled',
  'reviewed',
  'pinned',
  'definition',
  'signature',
  'server_identity',
  'capability_scope',
  'task_scope',
  'user_authority',
  'arguments',
  'context',
  'credential',
];

/** The checks as the form of version 5 numbers them. It never changes either. */
export const CHECK_LIST: readonly CheckName[] = [
  ...CHECKS_3.slice(0, CHECKS_3.indexOf('context')),
  'approval',
  ...CHECKS_3.slice(CHECKS_3.indexOf('context')),
];

/** The members of an event that the short form leaves to it. */
interface Written<Data> {
  readonly stream: string;
  readonly actor: string;
  readonly time: Instant;
  readonly data: Data;
}

type Members = Record<string, unknown>;

/** The data of version 5, with its members in the order of RFC 8785. */
export function packDecided({ stream, actor, time, data }: Written<CallDecided>): JsonObject {
  const packed: Members = {};
  if (data.agent !== undefined) packed['agent'] = data.agent;
  if (data.approval !== undefined) packed['approval'] = data.approval;
  if (data.attempt !== 1) packed['attempt'] = data.attempt;
  packed['basis'] = packedBasis(data);
  packed['callId'] = data.callId;
  packed['capability'] = data.capability;
  packed['checks'] = packedChecks(data.checks);
  packed['commitments'] = withDigests(data.commitments, packedDigest);
  if (data.contextItems !== 0) packed['contextItems'] = data.contextItems;
  if (data.counts !== undefined) packed['counts'] = data.counts;
  packed['decision'] = data.decision;
  if (data.effects !== undefined) packed['effects'] = data.effects;
  packed['engines'] = packedEngines(data.engines);
  if (data.expiresAt !== undefined) packed['expiresAt'] = packedInstant(data.expiresAt, time);
  if (data.filtered !== undefined) packed['filtered'] = data.filtered;
  if (data.host !== actor) packed['host'] = data.host;
  if (data.inputs !== undefined) packed['inputs'] = data.inputs;
  if (data.instanceId !== undefined) packed['instanceId'] = data.instanceId;
  packed['observed'] = withDigests(data.observed, packedDigest);
  packed['operation'] = data.operation;
  if (data.reason !== 'ok') packed['reason'] = data.reason;
  if (data.requestDigest !== undefined) packed['requestDigest'] = packedDigest(data.requestDigest);
  if (data.rule !== undefined) packed['rule'] = data.rule;
  if (taskIdIn(stream) !== data.taskId) packed['taskId'] = data.taskId;
  if (data.user !== undefined) packed['user'] = data.user;
  if (data.version !== undefined) packed['version'] = data.version;
  return packed as JsonObject;
}

/** The data of version 2 out of an event of version 3. */
export const unpackVersion3 = (event: Written<unknown>): unknown => unpackWith(CHECKS_3, event);

/** The data of version 4 out of an event of version 5. */
export const unpackDecided = (event: Written<unknown>): unknown => unpackWith(CHECK_LIST, event);

/**
 * The data out of a short form, in the order of RFC 8785. It never throws. A member of another form stays as it is, and
 * the schema refuses it.
 */
function unpackWith(list: readonly CheckName[], { stream, actor, time, data }: Written<unknown>): unknown {
  if (!isJsonObject(data)) return data;
  const {
    agent,
    approval,
    attempt = 1,
    basis,
    callId,
    capability,
    checks,
    commitments,
    contextItems = 0,
    counts,
    decision,
    effects,
    engines,
    expiresAt,
    filtered,
    host = actor,
    inputs,
    instanceId,
    observed,
    operation,
    reason = 'ok',
    requestDigest,
    rule,
    taskId = taskIdIn(stream),
    user,
    version,
    ...unknown
  } = data as Members;
  const whole: Members = {};
  if (agent !== undefined) whole['agent'] = agent;
  if (approval !== undefined) whole['approval'] = approval;
  whole['attempt'] = attempt;
  whole['basis'] = wholeBasis(basis, { capability, host, taskId });
  whole['callId'] = callId;
  whole['capability'] = capability;
  whole['checks'] = wholeChecks(list, checks);
  whole['commitments'] = isJsonObject(commitments) ? withDigests(commitments, wholeDigest) : commitments;
  whole['contextItems'] = contextItems;
  if (counts !== undefined) whole['counts'] = counts;
  whole['decision'] = decision;
  if (effects !== undefined) whole['effects'] = effects;
  whole['engines'] = wholeEngines(engines);
  if (expiresAt !== undefined) whole['expiresAt'] = wholeInstant(expiresAt, time);
  if (filtered !== undefined) whole['filtered'] = filtered;
  whole['host'] = host;
  if (inputs !== undefined) whole['inputs'] = inputs;
  if (instanceId !== undefined) whole['instanceId'] = instanceId;
  whole['observed'] = isJsonObject(observed) ? withDigests(observed, wholeDigest) : observed;
  whole['operation'] = operation;
  whole['reason'] = reason;
  if (requestDigest !== undefined) whole['requestDigest'] = wholeDigest(requestDigest);
  if (rule !== undefined) whole['rule'] = rule;
  whole['taskId'] = taskId;
  if (user !== undefined) whole['user'] = user;
  if (version !== undefined) whole['version'] = version;
  return Object.assign(whole, unknown);
}

const OF_TASK = 'calls-';

const taskIdIn = (stream: string): string | undefined =>
  stream.startsWith(OF_TASK) ? stream.slice(OF_TASK.length) : undefined;

/** The members by which streams are named. */
type Owner = Readonly<Record<'capability' | 'host' | 'taskId', unknown>>;

/** The streams of a basis in its order, the task last. */
const streamsOf = ({ capability, host, taskId }: Owner): readonly string[] => [
  `capability-${String(capability)}`,
  'directives',
  'policy-default',
  `principal-${String(host)}`,
  `task-${String(taskId)}`,
];

function packedBasis(data: CallDecided): unknown {
  const { basis } = data;
  const revisions = Object.values(basis);
  if (revisions.length !== 4 && revisions.length !== 5) return basis;
  const streams = streamsOf(data);
  const names = Object.keys(basis);
  for (let index = 0; index < names.length; index += 1) if (names[index] !== streams[index]) return basis;
  return revisions;
}

function wholeBasis(basis: unknown, owner: Owner): unknown {
  if (!Array.isArray(basis) || (basis.length !== 4 && basis.length !== 5)) return basis;
  const streams = streamsOf(owner);
  const whole: Members = {};
  for (let index = 0; index < basis.length; index += 1) whole[streams[index] ?? ''] = basis[index];
  return whole;
}

/** The end of an instant that differs from the time. Both have the same length, so nothing else is needed. */
function packedInstant(instant: Instant, time: Instant): string {
  if (instant.length !== time.length) return instant;
  let same = 0;
  while (same < time.length && instant[same] === time[same]) same += 1;
  return instant.slice(same);
}

function wholeInstant(packed: unknown, time: Instant): unknown {
  if (typeof packed !== 'string' || packed.length >= time.length) return packed;
  return time.slice(0, time.length - packed.length) + packed;
}

function packedChecks(checks: readonly RecordedCheck[]): unknown {
  let passed = 0;
  while (passed < checks.length && checks[passed] === CHECK_LIST[passed]) passed += 1;
  return passed === checks.length ? passed : packedOutcomes(checks);
}

function packedOutcomes(checks: readonly RecordedCheck[]): unknown[] {
  const items: unknown[] = [];
  let passed = 0;
  let skipped = 0;
  const flush = () => {
    if (passed > 0) items.push(passed);
    if (skipped > 0) items.push([skipped]);
    passed = skipped = 0;
  };
  for (const [index, check] of checks.entries()) {
    const name = CHECK_LIST[index];
    if (check === name) {
      if (skipped > 0) flush();
      passed += 1;
    } else if (Array.isArray(check) && check[0] === name && check[1] === 'skipped' && check.length === 2) {
      if (passed > 0) flush();
      skipped += 1;
    } else {
      flush();
      const failed = Array.isArray(check) && check[0] === name && check[1] === 'fail';
      items.push(failed ? (check[2] ?? 'fail') : check);
    }
  }
  flush();
  return items;
}

/** The checks again; the same value if it is not what `packedChecks` makes. */
function wholeChecks(list: readonly CheckName[], packed: unknown): unknown {
  if (typeof packed === 'number') return namesFrom(list, 0, packed) ?? packed;
  if (!Array.isArray(packed)) return packed;
  const checks: unknown[] = [];
  for (const item of packed as readonly unknown[]) {
    const skipped: unknown = Array.isArray(item) && item.length === 1 ? item[0] : undefined;
    const count = typeof item === 'number' ? item : skipped;
    const name = list[checks.length];
    if (typeof count === 'number') {
      const names = namesFrom(list, checks.length, count);
      if (names === undefined) return packed;
      checks.push(...(count === item ? names : names.map((each) => [each, 'skipped'])));
    } else if (item === 'fail' && name !== undefined) checks.push([name, 'fail']);
    else if (isJsonObject(item) && name !== undefined) checks.push([name, 'fail', item]);
    else checks.push(item);
  }
  return checks;
}

/** `count` names of the list from a place on. Undefined if the list has fewer. */
function namesFrom(list: readonly CheckName[], place: number, count: number): CheckName[] | undefined {
  const names = list.slice(place, place + count);
  return names.length === count ? names : undefined;
}

function packedEngines(engines: CallDecided['engines']): unknown {
  const { decider, cedar, pack } = engines;
  const members = Object.keys(engines).length;
  if (cedar.includes('/')) return engines;
  if (members === 2) return `${decider}/${cedar}`;
  const short = packedDigest(pack);
  return members === 3 && typeof short === 'string' && short !== pack ? `${decider}/${cedar}/${short}` : engines;
}

function wholeEngines(packed: unknown): unknown {
  if (typeof packed !== 'string') return packed;
  const [decider, cedar, ...pack] = packed.split('/');
  const engines = { cedar, decider: Number(decider) };
  return pack.length === 0 ? engines : { ...engines, pack: wholeDigest(pack.join('/')) };
}

const PREFIX = 'sha256:';
const DIGEST_CHARS = PREFIX.length + 64;
const PACKED_CHARS = 43;

/** A digest in its short form, which takes 28 bytes fewer. */
function packedDigest(digest: unknown): unknown {
  if (typeof digest !== 'string' || digest.length !== DIGEST_CHARS) return digest;
  return Buffer.from(digest.slice(PREFIX.length), 'hex').toString('base64url');
}

function wholeDigest(packed: unknown): unknown {
  if (typeof packed !== 'string' || packed.length !== PACKED_CHARS) return packed;
  return PREFIX + Buffer.from(packed, 'base64url').toString('hex');
}

/** A copy of commitments, or of an observation, whose digests have another form. The order stays. */
function withDigests(members: object, formOf: (digest: unknown) => unknown): object {
  const formed: Members = { ...members };
  for (const name of DIGESTS) if (formed[name] !== undefined) formed[name] = formOf(formed[name]);
  return formed;
}

/** The members of commitments and observations that are digests. */
const DIGESTS = ['arguments', 'context', 'definition', 'labels', 'probe'] as const;
