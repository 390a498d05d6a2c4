import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Chance } from '../../support/chance.js';
import { projectRoot } from '../../support/root.js';
import type { Answered } from '../../support/service.js';
import type { Service } from '../ours.js';
import type { CallFact, LogFacts } from './log-facts.js';
import { noteOf, type MixedRun } from './mixed-run.js';

/** Calls drawn at random and recovered whole: by the API and by the command line. */

export interface Recovered {
  readonly callId: string;
  readonly decision: string;
  readonly reason: string;
  readonly apiMs: number;
  readonly cliMs: number;
  /** The missing or false members of either answer, in words. */
  readonly faults: readonly string[];
}

export async function recoverSome(
  service: Service,
  run: MixedRun,
  facts: LogFacts,
  chance: Chance,
  count: number,
): Promise<Recovered[]> {
  await facts.readOn();
  const recovered: Recovered[] = [];
  for (let drawn = 0; drawn < count; drawn += 1) recovered.push(await recover(service, run, chance.of(facts.calls)));
  return recovered;
}

async function recover(service: Service, run: MixedRun, call: CallFact): Promise<Recovered> {
  const { callId, taskId, decision, reason } = call;
  const headers = { authorization: `Bearer ${service.tokens.auditor}` };
  const startedMs = performance.now();
  const answer = await fetch(`${service.url}/v1/audit/calls/${callId}?task=${taskId}`, { headers });
  const text = await answer.text();
  const apiMs = performance.now() - startedMs;
  const byApi = answer.status === 200 ? faultsIn(JSON.parse(text), run, call) : [`API: ${answer.status} ${text}`];
  const cliStartedMs = performance.now();
  const { code, out } = await sallyport(service, ['call', callId, '--task', taskId, '--json']);
  const cliMs = performance.now() - cliStartedMs;
  const byCli = code === 0 ? faultsIn(JSON.parse(out), run, call) : [`command line: exit ${code} ${out}`];
  return { callId, decision, reason, apiMs, cliMs, faults: [...byApi, ...byCli] };
}

/** The differences of an answer from the request and from the log, in words. */
function faultsIn(evidence: Answered, run: MixedRun, call: CallFact): string[] {
  const faults: string[] = [];
  const expect = (name: string, found: unknown, wanted: unknown): void => {
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      faults.push(`${call.callId}: ${name} is ${JSON.stringify(found)}, and not ${JSON.stringify(wanted)}`);
  };
  for (const name of ['callId', 'taskId', 'traceId', 'host', 'capability', 'operation', 'decision', 'reason'] as const)
    expect(name, evidence[name], call[name]);
  expect('position', evidence.position, String(call.position));
  expect('policyVersion', evidence.policyVersion, call.policyVersion ?? null);
  expect('checks', evidence.checks.length > 0, true);
  const task = call.refused ? undefined : run.tasks.get(call.taskId);
  expect('user', evidence.user?.id, task?.user);
  expect('agent', evidence.agent, task?.agent ?? null);
  expect('purpose', typeof evidence.purpose === 'string', task !== undefined);
  const isRegistered = call.reason !== 'capability_unregistered';
  expect('registry', evidence.registry?.capability, isRegistered ? call.capability : undefined);
  expect('history', evidence.capabilityHistory.length > 0, isRegistered);
  if (call.decision === 'allow') {
    const sent = Object.values(evidence.outbound?.arguments ?? {});
    expect('arguments', sent, [noteOf(call.callId)]);
    expect('server identity', evidence.serverAuthentication !== null && evidence.scopeCheck.task !== null, true);
  }
  expect('response', JSON.stringify(evidence.response?.raw ?? '').includes(noteOf(call.callId)), call.hasResponse);
  expect('outcome', evidence.outcome?.effect?.summary, call.hasOutcome ? noteOf(call.callId) : undefined);
  return faults;
}

/** The command line as an auditor runs it: a process of its own, its start included. */
function sallyport({ url, tokens }: Service, args: readonly string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [join(projectRoot, 'bin', 'sallyport.mjs'), ...args], {
    env: { PATH: process.env['PATH'] ?? '', SALLYPORT_URL: url, SALLYPORT_TOKEN: tokens.auditor },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out })));
}
