import { setTimeout as pause } from 'node:timers/promises';
import type { Json, JsonObject } from '../../../libs/kernel/canonical-json.js';
import { path, ServiceProblem, ServiceUnreachable, type Call } from '../client.js';
import { at, dig, list, printable } from '../print.js';

const POLL_MS = 100;
/** Time-out of a question that is asked shortly before the end. */
const LEAST_ASKED_MS = 250;

export interface Waiting {
  readonly call: Call;
  readonly id: string;
  /** The directive has to be effective within this time from its commit, on the service's clock. */
  readonly targetMs: number;
  /** The command gives up after this time. The directive stays in force. */
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
}

export interface Waited {
  /** The last answer. Undefined if there was none. */
  readonly propagation: JsonObject | undefined;
  readonly inTime: boolean;
  /** The result, for a person. */
  readonly verdict: string;
}

/** Follows a directive until it is effective everywhere, and prints each instance as it reports. */
export async function waitForAll({ call, id, targetMs, timeoutMs, say }: Waiting): Promise<Waited> {
  const startedMs = performance.now();
  const told = new Set<string>();
  const leftMs = (): number => Math.ceil(Math.max(LEAST_ASKED_MS, startedMs + timeoutMs - performance.now()));
  let propagation: JsonObject | undefined;
  let missed = false;
  for (;;) {
    try {
      propagation = (await asked(call, id, leftMs())) ?? propagation;
    } catch (error) {
      // An error of this question changes nothing: the directive is in force, and the output already says how to lift
      // it.
      const why = error instanceof Error ? error.message : String(error);
      return {
        propagation,
        inTime: false,
        verdict: `not known to be effective everywhere: ${why}; the directive is in force`,
      };
    }
    for (const one of list(propagation, 'instances')) {
      const who = `${at(one, 'host')} ${at(one, 'instanceId')}`;
      if (at(one, 'state') === 'pending' || told.has(who)) continue;
      told.add(who);
      say(instanceLine(one));
    }
    if (at(propagation, 'state') === 'lifted') {
      return { propagation, inTime: false, verdict: 'the directive has been lifted: it is not in force' };
    }
    const count = list(propagation, 'instances').length;
    if (at(propagation, 'complete') === 'true') {
      const tookMs = Date.parse(at(propagation, 'effectiveAt')) - Date.parse(at(propagation, 'committedAt'));
      const inTime = tookMs <= targetMs;
      const all = count === 0 ? 'no instance held a lease: effective' : `effective on all ${count} instances`;
      const verdict = `${all} ${tookMs} ms after the commit`;
      return { propagation, inTime, verdict: inTime ? verdict : `${verdict}: the target of ${targetMs} ms was missed` };
    }
    const passedMs = performance.now() - startedMs;
    const left =
      propagation === undefined ? 'no instance has reported' : `${count - told.size} of ${count} are pending`;
    if (passedMs > timeoutMs) {
      const verdict = `not known to be effective everywhere after ${timeoutMs} ms: ${left}; the directive is in force`;
      return { propagation, inTime: false, verdict };
    }
    if (passedMs > targetMs && !missed) {
      missed = true;
      say(`the target of ${targetMs} ms has passed: ${left}; still waiting`);
    }
    await pause(Math.min(POLL_MS, timeoutMs));
  }
}

/** A service that cannot answer now may do so soon. The directive is committed in any case. */
async function asked(call: Call, id: string, timeoutMs: number): Promise<JsonObject | undefined> {
  try {
    return await call('GET', path('directives', id, 'propagation'), undefined, timeoutMs);
  } catch (error) {
    if (error instanceof ServiceUnreachable) return undefined;
    if (error instanceof ServiceProblem && (error.status === 503 || error.status === 429)) return undefined;
    throw error;
  }
}

/** The progress of a directive, for a person. */
export function reach(propagation: Json): string {
  if (at(propagation, 'state') === 'lifted') return 'lifted: it is not in force';
  if (at(propagation, 'complete') === 'true') return `effective everywhere since ${at(propagation, 'effectiveAt')}`;
  return 'not yet effective everywhere';
}

/** One instance of a propagation. */
export function instanceLine(one: Json): string {
  const latency = dig(one, 'latencyMs') === undefined ? '' : `${at(one, 'latencyMs')} ms`;
  const state = at(one, 'state').replace('_', ' ');
  const unproven = dig(one, 'proven') === false ? '  (unproven)' : '';
  return printable(
    `${latency.padStart(9)}  ${state.padEnd(13)}  ${at(one, 'host')}  ${at(one, 'instanceId')}${unproven}`,
  );
}
