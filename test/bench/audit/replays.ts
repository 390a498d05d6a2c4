import { verifyBundle } from '../../../libs/bundle/verify.js';
import type { TraceReplay } from '../../../libs/contract/audit.js';
import { parseVerifier } from '../../../libs/transparency/note.js';
import type { Callable } from '../../support/service.js';
import { expecting } from '../../support/world.js';
import type { Audited } from './walks.js';

/** Every call of a run, decided again: by a service, and from bundles alone. */

export interface Replays {
  readonly way: string;
  readonly traces: number;
  /** Calls that came out the same, by their place and digest. */
  readonly identical: ReadonlyMap<string, string>;
  /** The others, in words. */
  readonly others: readonly string[];
  readonly ms: number;
}

export async function replayAll(service: Callable, way: string, traces: Iterable<string>): Promise<Replays> {
  const collected = collecting(way);
  await each(traces, async (traceId) => {
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const more = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const path = `/v1/audit/traces/${traceId}/replay?limit=1000${more}`;
      const page = expecting(200, await service.call('auditor', 'GET', path)) as TraceReplay;
      for (const call of page.calls) {
        if ('identical' in call) {
          const { callId, attempt, identical, recorded, response } = call;
          collected.add(traceId, `${callId} ${attempt}`, identical, recorded.digest, response?.again);
        } else collected.others.push(`${traceId}: the event at position ${call.position} is damaged`);
      }
      if (page.identical !== true) collected.others.push(`${traceId}: the trace is ${page.identical}`);
      cursor = page.next;
    }
    collected.traces += 1;
  });
  return collected.done();
}

/** Downloads the bundle of each trace, and decides its calls again with nothing but its text and the key of the log. */
export async function replayFromBundles(service: Audited, traces: Iterable<string>): Promise<Replays> {
  const authorization = `Bearer ${service.tokens.auditor}`;
  const collected = collecting('from bundles alone');
  const { keys } = await logKeys(service);
  await each(traces, async (traceId) => {
    const answer = await fetch(`${service.url}/v1/audit/traces/${traceId}/bundle`, { headers: { authorization } });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`no bundle of ${traceId}: ${answer.status} ${text}`);
    if (answer.headers.get('sallyport-unsealed-events') !== '0') throw new Error('events that no checkpoint has');
    const verdict = await verifyBundle(text, { keys });
    for (const { callId, attempt, identical, digest } of verdict.calls)
      collected.add(traceId, `${callId} ${attempt}`, identical, digest);
    if (verdict.soundness === 'not_sound') collected.others.push(`${traceId}: ${JSON.stringify(verdict.faults[0])}`);
    collected.traces += 1;
  });
  return collected.done();
}

/** One is asked for while another is verified. */
const AT_ONCE = 2;

async function each(traces: Iterable<string>, act: (traceId: string) => Promise<void>): Promise<void> {
  const left = [...traces].toReversed();
  const worker = async (): Promise<void> => {
    for (let traceId = left.pop(); traceId !== undefined; traceId = left.pop()) await act(traceId);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function logKeys(service: Callable) {
  const { origin, keys } = expecting(200, await service.call('nobody', 'GET', '/.well-known/sallyport-log'));
  const found = keys.map(({ id, publicKey }: { id: string; publicKey: string }) => {
    const key = Buffer.concat([Buffer.from([1]), Buffer.from(publicKey, 'base64')]).toString('base64');
    return parseVerifier(`${origin}+${id}+${key}`);
  });
  if (found.includes(undefined)) throw new Error('the service shows no key of its log');
  return { keys: found };
}

/** The calls that two ways found different. */
export function differences(one: Replays, other: Replays): string[] {
  const places = new Set([...one.identical.keys(), ...other.identical.keys()]);
  return [...places]
    .filter((place) => one.identical.get(place) !== other.identical.get(place))
    .map((place) => `${place}: ${one.way} and ${other.way} differ`);
}

function collecting(way: string) {
  const identical = new Map<string, string>();
  const others: string[] = [];
  const startedMs = performance.now();
  return {
    traces: 0,
    others,
    add(traceId: string, place: string, same: unknown, digest: string, response?: string) {
      if (same === true && response !== 'differs') identical.set(`${traceId} ${place}`, digest);
      else others.push(`${traceId} ${place}: ${String(same)}, its response ${response ?? 'has none'}`);
    },
    done(): Replays {
      const { traces } = this;
      return { way, traces, identical, others, ms: performance.now() - startedMs };
    },
  };
}
