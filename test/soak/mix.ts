import type { Service } from '../bench/ours.js';
import { CEDAR } from '../bench/questions.js';
import { callerOf, type Answered } from '../support/service.js';
import type { Role } from '../../libs/vocabulary/words.js';
import type { Chance } from '../support/chance.js';
import { activatePolicy, approve, callBody, expecting, proposal, registration, taskBody } from '../support/world.js';

/** The daily work of hosts, owners, reviewers, operators and auditors, with a check of each answer. */

/** The results of an interval, or of a run. */
export interface Tally {
  requests: number;
  refused: number;
  /** How long decisions took, from when they were due. */
  decisionsMs: number[];
  /** The wrong answers, in words: the first few, and their number. */
  readonly wrong: string[];
  wrongCount: number;
}

export const newTally = (): Tally => ({ requests: 0, refused: 0, decisionsMs: [], wrong: [], wrongCount: 0 });

interface Task {
  readonly opened: Answered;
  readonly allowed: string[];
  asked: number;
  /** Requests on their way. */
  busy: number;
}

const OPEN_TASKS = 32;
const CALLS_PER_TASK = 48;
const MAX_WRONG_KEPT = 20;

export interface Mix {
  /** Something that hosts or auditors do; `dueMs` is when it was due, on `performance.now()`. Never rejects. */
  step(dueMs: number): Promise<void>;
  /** A registration with its review, a version more, or a disable with its lifting. Never rejects. */
  control(): Promise<void>;
  /** The tally since it was last taken. */
  take(): Tally;
  /** Calls whose allow was answered in whole. */
  readonly allowed: ReadonlySet<string>;
}

/** Registers what is asked about, and opens the first tasks. */
export async function startMix(service: Service, chance: Chance): Promise<Mix> {
  const call = callerOf(service.url, service.tokens);
  const tasks: Task[] = [];
  const allowed = new Set<string>();
  let tally = newTally();
  let registered = 0;

  const fault = (what: string): void => {
    tally.wrongCount += 1;
    if (tally.wrong.length < MAX_WRONG_KEPT) tally.wrong.push(what);
  };
  /** The body of a 2xx. Undefined if it was refused for overload. Any other answer is wrong. */
  async function ask(who: Role, method: string, path: string, body?: unknown): Promise<Answered> {
    tally.requests += 1;
    try {
      const answer = await call(who, method, path, body);
      if (answer.status < 300) return answer.body;
      if (answer.status === 429 || answer.status === 503) tally.refused += 1;
      else fault(`${method} ${path.replaceAll(/[0-9a-f-]{32,}/g, '…')}: ${answer.status} ${answer.body?.code}`);
    } catch (error) {
      fault(`${method}: ${error instanceof Error ? error.name : 'no answer'}`);
    }
    return undefined;
  }

  async function openTask(): Promise<void> {
    const opened = await ask(
      'host',
      'POST',
      '/v1/tasks',
      taskBody({ scope: [{ capability: 'memory', effects: ['read'] }] }),
    );
    if (opened !== undefined) tasks.push({ opened, allowed: [], asked: 0, busy: 0 });
  }

  /** Closes a task; then its trace has to hold every allow, and to replay the same. */
  async function finish({ opened, allowed: own }: Task): Promise<void> {
    await ask('host', 'POST', `/v1/tasks/${opened.taskId}/close`, {});
    await openTask();
    const trace = await ask('auditor', 'GET', `/v1/audit/traces/${opened.traceId}`);
    if (trace !== undefined) {
      const recorded = new Set(trace.calls.map((each: Answered) => (each.decision === 'allow' ? each.callId : '')));
      if (!own.every((callId) => recorded.has(callId))) fault('a trace without an allow');
    }
    if (chance.whole(0, 3) > 0) return;
    const replay = await ask('auditor', 'GET', `/v1/audit/traces/${opened.traceId}/replay`);
    if (replay?.identical === false) fault('a replay that differs');
  }

  /** Each question of the mix, with its expected answer. */
  const DENIED: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ operation: 'fly' }, 'operation_unknown'],
    [{ arguments: {} }, 'arguments_invalid'],
    [{ capability: 'nobody-knows' }, 'capability_unregistered'],
    [{ operation: 'store', arguments: {} }, 'outside_task_scope'],
  ];

  async function authorize(task: Task, dueMs: number): Promise<void> {
    const [more, reason] = chance.whole(0, 3) === 0 ? chance.of(DENIED) : [{}, 'ok'];
    const body = callBody(task.opened, more);
    const answer = await ask('host', 'POST', '/v1/calls/authorize', body);
    tally.decisionsMs.push(performance.now() - dueMs);
    if (answer === undefined) return;
    if (answer.reason !== reason) fault(`${answer.reason} where it is ${reason}`);
    if (answer.decision !== 'allow') return;
    allowed.add(body.callId);
    task.allowed.push(body.callId);
    if (chance.whole(0, 2) > 0) return;
    const { taskId } = task.opened;
    const result = { content: [{ type: 'text', text: 'a note that was recalled' }] };
    const responded = await ask('host', 'POST', `/v1/calls/${body.callId}/response`, { taskId, result });
    if (responded !== undefined && responded.verdict !== 'accepted') fault(`a response is ${responded.verdict}`);
    if (responded !== undefined)
      await ask('host', 'POST', `/v1/calls/${body.callId}/outcome`, { taskId, status: 'succeeded' });
  }

  async function look(): Promise<void> {
    const paths = [
      '/v1/audit/calls?capability=memory&limit=10',
      '/v1/audit/calls?decision=deny&limit=10',
      '/v1/audit/events?types=DirectiveIssued&limit=20',
      '/v1/capabilities?limit=20',
      '/v1/directives',
    ];
    await ask('auditor', 'GET', chance.of(paths));
  }

  async function step(dueMs: number): Promise<void> {
    const task = tasks[chance.whole(0, tasks.length - 1)];
    if (task === undefined) return openTask();
    if (chance.whole(0, 49) === 0) return look();
    task.busy += 1;
    task.asked += 1;
    await authorize(task, dueMs);
    task.busy -= 1;
    if (task.asked < CALLS_PER_TASK || task.busy > 0 || !tasks.includes(task)) return;
    tasks.splice(tasks.indexOf(task), 1);
    await finish(task);
  }

  async function control(): Promise<void> {
    if (chance.whole(0, 3) === 0) {
      registered += 1;
      const id = `decoy-${registered}`;
      if ((await ask('registrar', 'POST', '/v1/capabilities', registration(id))) === undefined) return;
      const review = { verdict: 'approved', reason: 'looked at it', exceptions: ['signature_missing'] };
      await ask('reviewer', 'POST', `/v1/capabilities/${id}/versions/1.0.0/review`, review);
      return;
    }
    // Never what the tasks use, so that their answers stay what they have to be.
    const target = { type: 'capability', capability: 'decoy' };
    const issued = await ask('operator', 'POST', '/v1/directives', { target, reason: 'soak' });
    if (issued === undefined) return;
    const stopped = taskBody({ scope: [{ capability: 'decoy', effects: ['read'] }] });
    const opened = await ask('host', 'POST', '/v1/tasks', stopped);
    const body = opened === undefined ? undefined : callBody(opened, { capability: 'decoy' });
    const answer = body === undefined ? undefined : await ask('host', 'POST', '/v1/calls/authorize', body);
    if (answer !== undefined && answer.reason !== 'disabled') fault(`${answer.reason} while it is disabled`);
    if (opened !== undefined) await ask('host', 'POST', `/v1/tasks/${opened.taskId}/close`, {});
    await ask('operator', 'POST', `/v1/directives/${issued.id}/lift`, { reason: 'soak' });
  }

  for (const id of ['memory', 'decoy']) {
    expecting(201, await service.call('registrar', 'POST', '/v1/capabilities', registration(id, proposal())));
    await approve(service, id);
  }
  await activatePolicy(service, CEDAR);
  for (let count = 0; count < OPEN_TASKS; count += 1) await openTask();
  return {
    step,
    control,
    allowed,
    take() {
      const taken = tally;
      tally = newTally();
      return taken;
    },
  };
}
