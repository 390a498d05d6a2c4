import { existsSync } from 'node:fs';
import type { JsonObject } from '../../../libs/kernel/canonical-json.js';
import { createCall, path, ServiceProblem, type Call } from '../client.js';
import { at, dig, list } from '../print.js';
import { textLines } from '../report/text.js';
import { readPages, traceOf } from '../report/trace-evidence.js';
import { traceReport } from '../report/trace-report.js';
import type { World } from '../world.js';
import { boundary } from './boundary.js';
import { callServer, refusalOf, setScene, type Scene } from './scene.js';
import { DemoFailure, WORDS, type Stage } from './stage.js';
import type { Teller } from './teller.js';

const POLICY = `@id("analysts-read-files")
permit (principal in Role::"analyst", action == Action::"read", resource in Category::"files");
`;
const WIDER_POLICY = `${POLICY}@id("analysts-write-files")
permit (principal in Role::"analyst", action in [Action::"write", Action::"modify"], resource in Category::"files");
@id("analysts-send-mail")
permit (principal in Role::"analyst", action == Action::"send", resource in Category::"mail");
`;

/** The same effect as no policy at all. */
const NOBODY = '@id("demonstration-is-over")\nforbid (principal, action, resource);\n';

/** The steps that undo the story, last first. In a service that somebody else runs, nothing may stay in force. */
type Undo = (() => Promise<unknown>)[];

/**
 * The main job, from a stranger at the gate to a replayed record, by the public API alone. Throws `DemoFailure` at the
 * first step that ends otherwise.
 */
export async function tellStory(stage: Stage, world: World, teller: Teller): Promise<void> {
  const scene = await setScene(stage, world);
  const undo: Undo = [() => scene.server.close()];
  try {
    await refuseToReplacePolicy(scene.as('auditor'));
    await stranger(scene, teller, undo);
    await registered(scene, teller, undo);
    const task = await scene.openTask();
    undo.push(() => scene.closeTask(task));
    await authority(scene, teller, task, undo);
    await guardedCall(scene, teller, task);
    await notAskedFor(scene, teller, task);
    await redButton(scene, teller, task, undo);
    await record(scene, teller, task);
    await putInForce(scene, WIDER_POLICY, 'analysts write files and send mail');
    await boundary(scene, teller, undo, (user) => approverFor(scene, stage.server, user));
  } finally {
    // A directive that is lifted, or a task that is closed, refuses to be so again.
    for (const step of undo.reverse()) await step().catch(() => undefined);
  }
}

async function stranger(scene: Scene, teller: Teller, undo: Undo): Promise<void> {
  const { definition, fingerprint } = scene.server.observation;
  const { source } = scene.registration.version;
  teller.act('A stranger at the gate');
  teller.tell(
    `The real ${at(source, 'name')} runs on this machine and offers ${definition.tools?.length ?? 0} tools to any client.`,
  );
  teller.tell(`Its definition has the digest ${fingerprint.digest}.`);
  teller.tell('An agent can reach it. Nobody has registered it, and discovery is not trust:');
  const task = await scene.openTask();
  undo.push(() => scene.closeTask(task));
  denied(teller, await scene.ask(task, 'read_text_file', { path: scene.file }), 'capability_unregistered');
}

async function registered(scene: Scene, teller: Teller, undo: Undo): Promise<void> {
  const { id, version, registration, as } = scene;
  const lifecycle = (verb: string): string => path('capabilities', id, 'versions', version, verb);
  teller.act('Registered is not reviewed');
  await as('registrar')('POST', path('capabilities'), registration);
  undo.push(() => as('reviewer')('POST', lifecycle('revoke'), { reason: 'the demonstration is over' }));
  teller.tell(`Its owner registers ${id}@${version}: ${effectsText(scene)}, its npm integrity, its digest.`);
  const early = await scene.openTask();
  undo.push(() => scene.closeTask(early));
  denied(teller, await scene.ask(early, 'read_text_file', { path: scene.file }, { version }), 'version_pending');
  const verdict = {
    verdict: 'approved',
    reason: 'read the source, ran it in a sandbox',
    exceptions: ['signature_missing'],
  };
  const own = await refusalOf(as('registrar')('POST', lifecycle('review'), verdict));
  teller.expect('a registrar cannot review: forbidden', own, 'forbidden');
  await as('reviewer')('POST', lifecycle('review'), verdict);
  teller.tell(
    'Another principal reviews it. It is unsigned: the reviewer accepts signature_missing by name, on the record.',
  );
}

async function authority(scene: Scene, teller: Teller, task: JsonObject, undo: Undo): Promise<void> {
  teller.act('In scope is not in authority');
  teller.tell('A task is opened for ana, an analyst, with the scope "read". Its version is pinned until it closes:');
  const [pin] = list(task, 'pins');
  const { digest } = scene.server.observation.fingerprint;
  teller.expect(`pinned ${scene.version}`, [at(pin, 'version'), at(pin, 'definitionDigest')], [scene.version, digest]);
  denied(teller, await scene.ask(task, 'read_text_file', { path: scene.file }), 'outside_user_authority');
  undo.push(() => putInForce(scene, NOBODY, 'the demonstration is over'));
  await putInForce(scene, POLICY, 'analysts read files');
  teller.tell(
    'A Cedar policy, proposed by one and approved by another, lets analysts read what is in category "files".',
  );
}

async function guardedCall(scene: Scene, teller: Teller, task: JsonObject): Promise<void> {
  const taskId = at(task, 'taskId');
  teller.act('One call, guarded both ways');
  const connected = await scene.ask(task, '$connect', {});
  teller.expect('before the first byte: the host may connect', at(connected, 'decision'), 'allow');
  const allowed = await scene.ask(task, 'read_text_file', { path: scene.file });
  teller.expect('read_text_file is allowed', [at(allowed, 'decision'), at(allowed, 'reason')], ['allow', 'ok']);
  teller.tell(
    `Its record was on the disk before the answer left: position ${at(allowed, 'position')}, by rule ${at(allowed, 'rule')}.`,
  );
  const result = await callServer(scene.server, 'read_text_file', dig(allowed, 'outbound', 'arguments'));
  const call = at(allowed, 'callId');
  const response = await scene.as('host')('POST', path('calls', call, 'response'), { taskId, result });
  teller.expect('the response is accepted', at(response, 'verdict'), 'accepted');
  const texts = list(response, 'content', 'parts').map((part) => at(part, 'text'));
  const text = texts.find((one) => one.includes(WORDS)) ?? '';
  const quoted = text.startsWith(`<<untrusted ${at(response, 'content', 'boundary')} `);
  teller.expect(
    'the agent gets it as quoted evidence',
    [at(response, 'content', 'integrity'), quoted],
    ['untrusted', true],
  );
  for (const line of text.split('\n')) teller.quote(line);
  const outcome = { taskId, status: 'succeeded', effect: { type: 'read', summary: 'one file read' } };
  await scene.as('host')('POST', path('calls', call, 'outcome'), outcome);
}

async function notAskedFor(scene: Scene, teller: Teller, task: JsonObject): Promise<void> {
  teller.act('A call out of scope does not happen');
  const write = { path: scene.forged, content: 'The west gate is open.' };
  denied(teller, await scene.ask(task, 'write_file', write), 'outside_task_scope');
  teller.expect('and the file was not written', existsSync(scene.forged), false);
  teller.tell('Then the server changes: one hint flips, its version number stays. The host sees another digest:');
  const digest = `sha256:${'0'.repeat(63)}1`;
  denied(teller, await scene.ask(task, 'read_text_file', { path: scene.file }, { digest }), 'definition_drifted');
}

async function redButton(scene: Scene, teller: Teller, task: JsonObject, undo: Undo): Promise<void> {
  const operator = scene.as('operator');
  teller.act('The red button');
  const target = { type: 'capability', capability: scene.id };
  const directive = await operator('POST', path('directives'), { target, reason: 'INC-4711: looks compromised' });
  const since = performance.now();
  const lift = (reason: string) => operator('POST', path('directives', at(directive, 'id'), 'lift'), { reason });
  undo.push(() => lift('the demonstration is over'));
  const stopped = await scene.ask(task, 'read_text_file', { path: scene.file });
  const ms = Math.round(performance.now() - since);
  denied(teller, stopped, 'disabled');
  teller.tell(
    `The task was running all along. Its next call, answered ${ms} ms after the button, met epoch ${at(stopped, 'epoch')}.`,
  );
  await lift('INC-4711: false alarm');
  const again = await scene.ask(task, 'read_text_file', { path: scene.file });
  teller.expect('lifted: read_text_file is allowed again', at(again, 'decision'), 'allow');
  await scene.closeTask(task);
}

async function record(scene: Scene, teller: Teller, task: JsonObject): Promise<void> {
  const auditor = scene.as('auditor');
  const traceId = at(task, 'traceId');
  teller.act('The record remains');
  for (const line of textLines(traceReport(traceOf(await readPages(auditor, path('audit', 'traces', traceId))))))
    teller.tell(line);
  const replay = await auditor('GET', path('audit', 'traces', traceId, 'replay'));
  const calls = list(replay, 'calls').length;
  // Denied for authority, $connect, read, write, drift, disabled, read again.
  const seen = [dig(replay, 'identical'), calls];
  teller.expect(`replay: ${calls} decisions made again from their record, all identical`, seen, [true, 7]);
}

/** A principal with the role approver, who is the person of a user id. */
async function approverFor({ as }: Scene, server: string, user: string): Promise<Call> {
  const name = `demo-${user}`;
  const added = await as('admin')('POST', path('principals'), { name, roles: ['approver'], user });
  return createCall({ server: new URL(server), token: at(added, 'token') });
}

async function putInForce(scene: Scene, cedar: string, reason: string): Promise<void> {
  const proposed = await scene.as('registrar')('POST', path('policies', 'default'), { cedar, reason });
  const review = path('policies', 'default', at(proposed, 'policyVersion'), 'review');
  await scene.as('reviewer')('POST', review, { verdict: 'approved', reason: 'as the ticket says' });
}

function denied(teller: Teller, answer: JsonObject, reason: string): void {
  const seen = [at(answer, 'decision'), at(answer, 'reason')];
  teller.expect(`${at(answer, 'operation')} is denied: ${reason}`, seen, ['deny', reason]);
}

/** A service in use has a policy set of its own, which the story would replace. */
async function refuseToReplacePolicy(call: Call): Promise<void> {
  let policies: JsonObject = {};
  try {
    policies = await call('GET', path('policies', 'default'));
  } catch (error) {
    if (!(error instanceof ServiceProblem && error.code === 'not_found')) throw error;
  }
  if (!list(policies, 'versions').some((one) => at(one, 'status') === 'approved')) return;
  throw new DemoFailure('this service has a policy set in use, and the story would replace it: name a fresh service');
}

function effectsText({ registration }: Scene): string {
  const all = Object.values(registration.version.manifest.operations);
  const reading = all.filter(({ effects }) => effects.every((effect) => effect === 'read')).length;
  return `${reading} operations that read, ${all.length - reading} that change things`;
}
