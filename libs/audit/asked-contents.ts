import type { ApprovalView } from '../contract/approvals.js';
import { ContextItem } from '../calls/requests.js';
import { contextAlone } from '../decision/decide.js';
import type { DecisionEngines } from '../decision-point/engines.js';
import type { LogReading, RecordedEvent } from '../event-log/port.js';
import { isJsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import type { KeyReading } from '../payloads/keyring.js';
import { attemptsOf, type Attempt } from './attempts.js';
import { Contents } from './contents.js';
import type { History } from './history.js';
import { Reconstructor } from './reconstruct.js';

/** The content that an approval is about, and the part of it that the filter would hold back. */
export type AskedContent = Pick<ApprovalView, 'arguments' | 'context' | 'outbound'>;

interface Sources {
  readonly log: LogReading;
  readonly keys: KeyReading;
  readonly engines: DecisionEngines;
  readonly history: History;
}

const DAMAGED: AskedContent = { arguments: 'damaged', context: 'damaged', outbound: 'damaged' };

/** The contents of calls that wait for an approval, as their approvers see them. An instance serves one request. */
export class AskedContents {
  private readonly contents: Contents;
  private readonly reconstructor: Reconstructor;

  constructor({ log, keys, engines, history }: Sources) {
    this.contents = new Contents(log, keys);
    this.reconstructor = new Reconstructor(log, engines, history, this.contents);
  }

  /** `denied` is the record of the deny that asks for the approval. Throws what the log and the keyring throw. */
  async of(denied: RecordedEvent, taskId: string): Promise<AskedContent> {
    const [attempt] = attemptsOf([denied]).attempts;
    if (attempt === undefined) return DAMAGED;
    const content = await this.contents.of(denied, taskId, attempt.decided.commitments);
    if (typeof content === 'string') return { arguments: content, context: content, outbound: content };
    const { arguments: args, context = [] } = content.parts;
    const items = ContextItem.array().safeParse(context);
    if (!isJsonObject(args) || !items.success) return DAMAGED;
    return defined({ arguments: args, context: items.data, outbound: await this.heldBack(attempt) });
  }

  /**
   * The work of the filter on the request, by the rules of the deny. The check of approvals comes before the filter, so no
   * record has it. Undefined if this build does not have those rules.
   */
  private async heldBack(attempt: Attempt): Promise<AskedContent['outbound']> {
    const inputs = await this.reconstructor.reconstruct(attempt);
    if (!inputs.ok) return 'damaged';
    // These lines come before the next await, because the states are live.
    const { snapshot, call, engines, engineGone, content } = inputs.value;
    if (engineGone) return undefined;
    if (content !== 'whole') return 'damaged';
    const result = contextAlone(snapshot, call, engines);
    const { redactions = [], refusals = [] } = result.filtered?.outbound ?? {};
    const denied = result.outcome === 'fail' ? result.reason : undefined;
    return defined({ redactions: [...redactions], refusals: [...refusals], denied });
  }
}
