import type { KeyObject } from 'node:crypto';
import { snapshotFor, type ConsultedTask } from '../decision-point/basis.js';
import type { DecisionEngines, PolicyAnswers, RulesOfThen } from '../decision-point/engines.js';
import { contentDigestOf, type Approval, type ApprovedContent } from '../calls/approvals.js';
import type { ApprovalRequested, CallDecided } from '../calls/events.js';
import { ArgumentLabel, ContextItem } from '../calls/requests.js';
import type { Call } from '../decision/call.js';
import { denyFor, type Decide, type Decision } from '../decision/decide.js';
import { canHaveDecided } from '../decision/deciders/registry.js';
import { shownCheck } from '../decision/record.js';
import type { Basis, Engines, Snapshot, TaskCalls } from '../decision/snapshot.js';
import { categoryOf } from '../event-log/event.js';
import { categoriesWith } from '../streams/catalogue.js';
import { LogUnavailable, type LogReading } from '../event-log/port.js';
import { isJsonObject, ownValue, type JsonObject } from '../kernel/canonical-json.js';
import { err, ok, type Result } from '../kernel/result.js';
import { families, type StateOf } from '../streams/catalogue.js';
import { taskKeyDigest } from '../payloads/keyring.js';
import type { TaskContent } from '../task/content.js';
import type { TaskState } from '../task/decider.js';
import { NO_HISTORY, type ApprovalHistory } from './approval-history.js';
import type { Attempt } from './attempts.js';
import type { NoContent } from '../contract/tasks.js';
import type { Commitments, Contents } from './contents.js';
import { History } from './history.js';
import { recordedEngines } from './recorded-engines.js';
import { Damage } from './soundness.js';

/** The content of a call and of its task, or the reason why it is absent. `unread`: content was not requested. */
type CallContent = WholeContent | NoContent | 'unread';

interface WholeContent {
  readonly arguments: JsonObject;
  readonly context: readonly ContextItem[];
  readonly labels: readonly ArgumentLabel[];
  readonly task: TaskContent;
  readonly commitments: Commitments;
  /** The key that the content was opened with. A bundle has none that its events were made with. */
  readonly key: KeyObject;
}

/** The inputs of a recorded decision. `snapshot` holds live states of a `History`: decide before the next await. */
export interface Reconstruction {
  readonly snapshot: Snapshot;
  readonly call: Call;
  /** Decides by the rules that the record names. Undefined if this build does not have them. */
  readonly decide: Decide | undefined;
  readonly engines: Engines;
  /** `none`: a refused call, whose content is never recorded. */
  readonly content: 'whole' | 'none' | NoContent | 'unread';
  /** The arguments of the call, if they could be read. */
  readonly arguments: JsonObject | undefined;
  /** This build lacks the record's rules or its Cedar, so that part of the answer is the recorded one. */
  readonly engineGone: boolean;
  /** Commitments computed from the content. Without content, those of the event if only the key is gone, else none. */
  readonly commitments: Commitments;
}

const NO_TASK_CONTENT: TaskContent = { purpose: '', attributes: {} };
const MAX_LOADS = 3;

/** Restores the inputs of a recorded decision, as of its basis. An instance serves one request, like its History. */
export class Reconstructor {
  constructor(
    private readonly log: Pick<LogReading, 'read' | 'blob'>,
    private readonly engines: DecisionEngines,
    private readonly history = new History(log),
    /** Absent if content must not be read: then the engines answer from the record. */
    private readonly contents?: Contents,
    private readonly answers: PolicyAnswers = 'asked',
  ) {}

  /** An error is `Damage`: the log lacks an input of the decision. Throws what the log and the keyring throw. */
  async reconstruct(attempt: Attempt): Promise<Result<Reconstruction, Damage>> {
    try {
      return ok(await this.inputsOf(attempt));
    } catch (error) {
      if (error instanceof Damage) return err(error);
      throw error;
    }
  }

  /** Whether a record that can be genuine names rules that this build does not have. */
  lacksRulesOf(attempt: Attempt): boolean {
    return forgeryOf(attempt) === undefined && this.engines.rulesOf(attempt.decided.engines) === undefined;
  }

  /** Whether the content of a call matches the commitments in its event. True if it was shredded. */
  async holdsContent(attempt: Attempt): Promise<boolean> {
    if (attempt.refused) return true;
    try {
      const content = await this.contentOf(attempt);
      return content !== 'damaged' && content !== 'key_missing';
    } catch (error) {
      if (error instanceof Damage) return false;
      throw error;
    }
  }

  private async inputsOf(attempt: Attempt): Promise<Reconstruction> {
    const forgery = forgeryOf(attempt);
    if (forgery !== undefined) throw new Damage(forgery);
    const { decided, envelope, event, refused } = attempt;
    const { host, capability, basis } = decided;
    const content = refused ? undefined : await this.contentOf(attempt);
    const opened = typeof content === 'object' ? content : undefined;
    const rules = this.engines.rulesOf(decided.engines, this.answers);
    const view = await this.history.view(rules === undefined ? knownPart(basis) : basis);
    const approvals = refused ? NO_HISTORY : await this.approvalsOf(attempt);
    const task = refused ? undefined : await this.taskOf(attempt, opened, approvals);
    const snapshot = snapshotFor(view, task, decided);
    const call: Call = {
      callId: decided.callId,
      taskId: decided.taskId,
      host,
      capability,
      version: decided.version,
      operation: decided.operation,
      arguments: opened?.arguments ?? {},
      context: opened?.context ?? [],
      contextItems: opened?.context.length ?? decided.contextItems,
      labels: opened?.labels ?? [],
      inputs: decided.inputs ?? {},
      observed: decided.observed,
      decidedAt: envelope.time,
    };
    const asked = approvals.approvalBefore(event.revision, decided.approval ?? '')?.requested;
    const live = refused || opened !== undefined;
    if (live && rules !== undefined) await this.prepare(rules, snapshot, call);
    return {
      snapshot,
      call,
      decide: rules?.decide,
      engines: live && rules !== undefined ? liveEngines(rules, decided, asked) : recordedEngines(decided, asked),
      engineGone: rules === undefined || (!isKeyGone(content) && rules.policies === undefined && askedCedar(decided)),
      content: content === undefined ? 'none' : typeof content === 'string' ? content : 'whole',
      arguments: opened?.arguments,
      commitments: opened?.commitments ?? (isKeyGone(content) ? decided.commitments : {}),
    };
  }

  private async contentOf({ event, decided }: Attempt): Promise<CallContent> {
    if (this.contents === undefined) return 'unread';
    const [opened] = await this.history.events(families.task.stream(decided.taskId));
    if (opened === undefined) throw new Damage('a call of a task that does not exist');
    const task = await this.contents.ofTask(opened, decided.taskId);
    const content = await this.contents.of(event, decided.taskId, decided.commitments);
    if (typeof content === 'string') return content;
    if (typeof task === 'string') return task;
    const { arguments: args, context = [], labels = [] } = content.parts;
    const items = ContextItem.array().safeParse(context);
    const words = ArgumentLabel.array().safeParse(labels);
    if (!isJsonObject(args) || !items.success || !words.success) return 'damaged';
    const { commitments, key } = content;
    return { arguments: args, context: items.data, labels: words.data, task, commitments, key };
  }

  /** A list reads the events of approvals only for calls that name one. */
  private async approvalsOf({ decided }: Attempt): Promise<ApprovalHistory> {
    const isAsked = decided.approval !== undefined || (this.contents !== undefined && askedApproval(decided));
    return isAsked ? this.history.approvals(decided.taskId) : NO_HISTORY;
  }

  private async taskOf(
    { decided, event: { revision: at } }: Attempt,
    content: WholeContent | undefined,
    approvals: ApprovalHistory,
  ): Promise<ConsultedTask> {
    const taskStream = families.task.stream(decided.taskId);
    const revision = decided.basis[taskStream];
    if (revision === undefined) throw new Damage(`a basis without ${taskStream}`);
    const { state } = await this.history.at<StateOf<'task'>>(taskStream, revision);
    if (state === undefined) throw new Damage(`a basis before ${taskStream} was opened`);
    const earlier: TaskCalls = {
      taintedAt: approvals.taintedBefore(at),
      approvalOf: (call, version) => {
        const found = approvals.approvalBefore(at, decided.approval ?? '');
        return found !== undefined && isFor(found, { ...call, version }, state, content) ? found : undefined;
      },
      wordUse: (word) => approvals.wordUseBefore(at, word),
    };
    return { task: state, taskStream, taskRevision: revision, content: content?.task ?? NO_TASK_CONTENT, earlier };
  }

  /** Loads the policies and schemas of that time. Concurrent requests may evict them, so it tries `MAX_LOADS` times. */
  private async prepare(rules: RulesOfThen, snapshot: Snapshot, call: Call): Promise<void> {
    try {
      for (let loads = 0; loads < MAX_LOADS; loads += 1) {
        const missing = this.engines.missingFor(rules, snapshot, call);
        if (missing === undefined) return;
        await this.engines.load(missing);
      }
    } catch (error) {
      if (error instanceof LogUnavailable) await this.assertDocuments(snapshot, call);
      throw error;
    }
  }

  /** A document that is missing in a readable log is damage, not an outage. */
  private async assertDocuments({ capability, policySet }: Snapshot, call: Call): Promise<void> {
    const operations = capability?.versions.get(call.version ?? '')?.operations ?? {};
    for (const digest of [policySet.active?.cedar, ownValue(operations, call.operation)?.arguments]) {
      if (digest !== undefined && (await this.log.blob(digest)) === undefined) throw new Damage(`${digest} is missing`);
    }
  }
}

const isKeyGone = (content: CallContent | undefined): content is 'shredded' | 'key_missing' =>
  content === 'shredded' || content === 'key_missing';

/** Why no version of Sallyport can have written a record; undefined if one can. */
function forgeryOf({ event, decided, refused }: Attempt): string | undefined {
  const stream = refused ? families.refusals.stream(decided.host) : families.calls.stream(decided.taskId);
  if (event.stream !== stream) return 'a call in the wrong stream';
  return canHaveDecided(decided.engines.decider) ? undefined : 'a decider that never existed';
}

/** Engines with the Cedar that the record names. If this build does not have it, policies give the recorded answer. */
function liveEngines(
  { engines, policies }: RulesOfThen,
  decided: CallDecided,
  asked: ApprovalRequested | undefined,
): Engines {
  if (policies !== undefined) return engines;
  const recorded = recordedEngines(decided, asked);
  return { ...engines, authority: (set, request) => recorded.authority(set, request) };
}

/** Rules that this build does not have may have consulted streams that it does not know either. */
const knownPart = (basis: Basis): Basis =>
  Object.fromEntries(Object.entries(basis).filter(([stream]) => CONTROL.includes(categoryOf(stream))));

const CONTROL = categoriesWith('control');

/** Whether an approval is for this content. Without the key of the task, or without the content, the record says so. */
function isFor(
  { requested }: Approval,
  content: ApprovedContent,
  { keyDigest }: TaskState,
  opened: WholeContent | undefined,
): boolean {
  if (opened === undefined || taskKeyDigest(opened.key.export()) !== keyDigest) return true;
  return contentDigestOf(opened.key, content) === requested.contentDigest;
}

/** Whether the check of approvals took part in a decision. */
const askedApproval = ({ checks }: CallDecided): boolean =>
  checks.map(shownCheck).some(({ check, outcome }) => check === 'approval' && outcome !== 'skipped');

/** Whether the policies took part in a decision. */
const askedCedar = ({ checks }: CallDecided): boolean =>
  checks.map(shownCheck).some(({ check, outcome }) => check === 'user_authority' && outcome !== 'skipped');

/**
 * Decides a call again from its inputs, by the rules that its record names. A denial from outside the checks is denied
 * again for the same reason. Undefined if this build does not have those rules.
 */
export function redecide({ decided }: Attempt, inputs: Reconstruction): Decision | undefined {
  const { decision, reason, checks, version } = decided;
  const { snapshot, call, engines, decide } = inputs;
  const outside =
    decision === 'deny' && checks.length === 0 && (reason === 'view_stale' || reason === 'internal_error');
  return outside ? denyFor(reason, version) : decide?.(snapshot, call, engines);
}
