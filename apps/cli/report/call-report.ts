import { isJsonObject, ownValue, type Json } from '../../../libs/kernel/canonical-json.js';
import { at, dig, joined, jsonLine, list } from '../print.js';
import {
  clockIn,
  failedCheck,
  lastBefore,
  named,
  operationNameOf,
  toldOf,
  userOf,
  type CallFile,
} from './call-file.js';
import { DENIALS, policyOf } from './denials.js';
import { facts, type Block, type Fact } from './document.js';

/** A call in one sentence: `Denied: version 1.0.0 was revoked by olga at 20:29:22, CVE-2026-1111`. */
export function sentenceOf(file: CallFile): string {
  const { call } = file;
  if (isDamaged(call)) return damageOf(call);
  if (at(call, 'decision') === 'allow') return `Allowed: ${whyAllowed(file)}`;
  const reason = at(call, 'reason');
  return `Denied: ${ownValue(DENIALS, reason)?.(file) ?? named(reason)}`;
}

function whyAllowed(file: CallFile): string {
  const rules = joined(file.call, 'scopeCheck', 'user', 'determining');
  const by = rules === '' ? policyOf(file) : `the policy ${rules} in ${policyOf(file)}`;
  const review = lastBefore(file, 'VersionReviewed');
  const version = at(file.call, 'version');
  const reviewed = review === undefined || version === '' ? '' : `; version ${named(version)} was approved`;
  return `${by} permits it to ${userOf(file.call)}${reviewed}${reviewed === '' ? '' : toldOf(file, review)}`;
}

/** An item in the place of an event that cannot be read. A call that rests on such an event has its own evidence. */
export const isDamaged = (item: Json): boolean =>
  dig(item, 'decision') === undefined && (dig(item, 'damaged') === true || dig(item, 'missing') === true);

/** Says that an event cannot be read, and where it is. */
export function damageOf(item: Json): string {
  const place = `position ${at(item, 'position')} of the log, ${at(item, 'stream')}@${at(item, 'revision')}`;
  return dig(item, 'missing') === true ? `MISSING: there is no event at ${place}` : `DAMAGED: the event at ${place}`;
}

/** A call of a report: its sentence, and its evidence. */
export function callBlocks(file: CallFile, title: string): Block[] {
  const { call } = file;
  const verdict: Block = { type: 'verdict', allowed: at(call, 'decision') === 'allow', text: sentenceOf(file) };
  const heading: Block = { type: 'heading', level: 3, text: title };
  return isDamaged(call) ? [heading, verdict] : [heading, verdict, facts(factsOf(file))];
}

/** `14:02:11 filesystem/write_file for user ada`. */
export function titleOf(call: Json, clock: string): string {
  return isDamaged(call) ? 'a call that cannot be read' : `${clock} ${operationNameOf(call)} for ${userOf(call)}`;
}

function factsOf(file: CallFile): Fact[] {
  const { call } = file;
  const failed = failedCheck(call);
  return [
    ['reason', at(call, 'decision') === 'deny' ? at(call, 'reason') : ''],
    ['failed check', failed === undefined ? '' : `${at(failed, 'check')}: ${evidenceText(dig(failed, 'evidence'))}`],
    ['call', `${at(call, 'callId')}, attempt ${at(call, 'attempt')}, position ${at(call, 'position')}`],
    ['task', taskText(file)],
    ['purpose', contentText(dig(call, 'purpose') ?? dig(file.task, 'purpose'))],
    ['registry', registryText(file)],
    ['definition', at(call, 'registry', 'definitionDigest')],
    ['exceptions', exceptionsOf(call)],
    ['server', serverText(call)],
    ['policy', policyText(file)],
    ['approval', approvalText(call)],
    ['sent', sentText(call)],
    ['context sent', lines(call, 'context', itemText)],
    [
      'redactions',
      lines(call, 'redactions', (one) => `${at(one, 'count')} × ${at(one, 'type')} at ${at(one, 'path')}`),
    ],
    ['refusals', lines(call, 'refusals', (one) => `${at(one, 'path')} (${at(one, 'reason')})`)],
    ['response', responseText(call)],
    ['label of the response', labelText(call)],
    ['findings', findingsText(call)],
    ['outcome', outcomeText(call)],
    ['record', dig(call, 'damaged') === true ? 'DAMAGED: a part of it, or of its basis, cannot be read' : ''],
    ['engines', at(call, 'engine') === 'engine_gone' ? 'gone: the evidence is shown as recorded' : ''],
  ];
}

function taskText({ call, task }: CallFile): string {
  const id = at(call, 'taskId');
  if (id === '') return '';
  const agent = at(call, 'agent') || at(task, 'agent');
  const word = at(call, 'user', 'attestedBy');
  const parties = [agent === '' ? '' : `agent ${named(agent)}`, `host ${named(at(call, 'host'))}`];
  const attested = word === '' ? '' : `; the user is the word of ${named(word)}`;
  return `${id}, ${parties.filter((each) => each !== '').join(' on ')}${attested}`;
}

function registryText({ call }: CallFile): string {
  const registry = dig(call, 'registry');
  if (!isJsonObject(registry)) return 'not registered';
  const { review } = registry;
  const kind = [at(registry, 'kind'), at(registry, 'category')].filter((word) => word !== '').join(', ');
  const owner = at(registry, 'owner');
  const told = `${at(registry, 'capability')}@${at(registry, 'version')}${kind === '' ? '' : ` (${kind})`}`;
  const owned = owner === '' ? '' : `, owned by ${named(owner)}`;
  if (!isJsonObject(review)) return `${told}${owned}, not reviewed`;
  const when = at(review, 'at') === '' ? '' : ` at ${clockIn(call, at(review, 'at'))}`;
  const trust = at(registry, 'trust') === '' ? '' : `, trust ${at(registry, 'trust')}`;
  const reason = at(review, 'reason') === '' ? '' : `, ${at(review, 'reason')}`;
  return `${told}${owned}, ${at(review, 'verdict')} by ${at(review, 'by')}${when}${reason}${trust}`;
}

function exceptionsOf(call: Json): string {
  if (!isJsonObject(dig(call, 'registry', 'review'))) return '';
  return joined(call, 'registry', 'review', 'exceptions') || 'none';
}

function serverText(call: Json): string {
  const seen = dig(call, 'serverAuthentication');
  if (!isJsonObject(seen)) return '';
  const differs = at(seen, 'result') === 'verified' ? '' : `, expected ${jsonLine(dig(seen, 'expected'))}`;
  const word = at(call, 'serverAuthentication', 'attestedBy');
  const attested = word === '' ? '' : `, on the word of ${named(word)}`;
  return `${at(seen, 'result')} by ${at(seen, 'method')}: ${jsonLine(dig(seen, 'observed'))}${differs}${attested}`;
}

function policyText(file: CallFile): string {
  const rule = at(file.call, 'scopeCheck', 'rule');
  const isAsked = isJsonObject(dig(file.call, 'scopeCheck', 'user'));
  return [isAsked ? policyOf(file) : '', rule === '' ? '' : `rule ${rule}`].filter((part) => part !== '').join(', ');
}

/** The approval that an allow rests on. A denial names it in the failed check. */
function approvalText(call: Json): string {
  const check = list(call, 'checks').find((one) => at(one, 'check') === 'approval' && at(one, 'outcome') === 'pass');
  const by = at(check, 'evidence', 'by');
  if (by === '') return '';
  const id = at(check, 'evidence', 'approval');
  const decidedBy = at(check, 'evidence', 'decidedBy');
  const why = joined(check, 'evidence', 'why') || joined(check, 'evidence', 'required');
  const who = decidedBy === '' ? `the word of the ${by}` : `granted by ${named(decidedBy)} as ${by}`;
  return `${id === '' ? '' : `${id}, `}${who}, because of ${why}`;
}

function itemText(item: Json): string {
  const label = [at(item, 'level'), joined(item, 'categories')].filter((each) => each !== '').join(', ');
  return `${named(at(item, 'id'))} from ${named(at(item, 'source'))} (${label})`;
}

function sentText(call: Json): string {
  const outbound = dig(call, 'outbound');
  if (typeof outbound === 'string') return contentText(outbound);
  if (isJsonObject(outbound)) return jsonLine(dig(outbound, 'arguments'));
  return at(call, 'decision') === 'deny' ? 'nothing' : '';
}

function responseText(call: Json): string {
  const response = dig(call, 'response');
  if (!isJsonObject(response)) return contentText(response);
  const label = dig(response, 'sourceLabel');
  const source = isJsonObject(label)
    ? `, labelled ${at(label, 'capability')}@${at(label, 'version')} ${named(at(label, 'operation'))}`
    : '';
  return `${at(response, 'verdict')}${source}${handlingText(response)}`;
}

const HANDLINGS: ReadonlyMap<string, string> = new Map([
  ['quote', ', delivered as marked evidence'],
  ['hold', ', held until a release'],
  ['refuse', ', refused because of an instruction'],
]);

/** The handling of a response that holds an instruction, and who released it. */
function handlingText(response: Json): string {
  const released = dig(response, 'released');
  const by = isJsonObject(released)
    ? `, released ${at(released, 'at')} by ${at(released, 'by')}: ${at(released, 'reason')}`
    : '';
  return `${HANDLINGS.get(at(response, 'handling')) ?? ''}${by}`;
}

/** The level of what the server sent, and the kinds of secrets and personal data in it. */
function labelText(call: Json): string {
  const level = at(call, 'response', 'label', 'level');
  const categories = joined(call, 'response', 'label', 'categories');
  return categories === '' ? level : `${level}: ${categories}`;
}

function findingsText(call: Json): string {
  const leftOut = at(call, 'response', 'leftOut');
  const more = leftOut === '' ? [] : [`and ${leftOut} more`];
  return [...list(call, 'response', 'findings').map(findingText), ...more].join('; ');
}

function findingText(finding: Json): string {
  const where = at(finding, 'path');
  return `${at(finding, 'severity')} ${at(finding, 'kind')} by ${at(finding, 'detector')}${where === '' ? '' : ` at ${where}`}`;
}

function outcomeText(call: Json): string {
  const outcome = dig(call, 'outcome');
  if (!isJsonObject(outcome)) return contentText(outcome);
  const said = (part: string, word: string): string => {
    const value = dig(outcome, part);
    if (!isJsonObject(value)) return '';
    const texts = ['by', 'summary', 'reference', 'reason'].flatMap((name) => {
      const text = at(value, name);
      return text === '' ? [] : [`${name} ${contentText(text)}`];
    });
    return [`${word} ${at(value, 'type') || at(value, 'decision')}`, ...texts].join(', ');
  };
  return [at(outcome, 'status'), said('effect', 'effect'), said('control', 'control')]
    .filter((text) => text !== '')
    .join('; ');
}

function lines(call: Json, member: string, told: (one: Json) => string): string {
  return list(call, 'outbound', member).map(told).join('; ');
}

/** Why content is not shown. */
const NO_CONTENT: Readonly<Record<string, string>> = {
  shredded: 'shredded: the key of its task was destroyed',
  key_missing: 'key_missing: the key of its task is gone, and no record says why',
  damaged: 'damaged: it is not what its event committed to',
  archived: 'archived: it is in the bundle of its trace',
};

/** A text of a host, quoted; or the reason why it is not there. */
export function contentText(value: Json | undefined): string {
  if (typeof value !== 'string' || value === '') return '';
  return ownValue(NO_CONTENT, value) ?? JSON.stringify(value);
}

/** The members of evidence, in words. */
export function evidenceText(evidence: Json | undefined): string {
  if (!isJsonObject(evidence)) return 'no evidence';
  const told = Object.entries(evidence).map(([name, value]) => `${name} ${wordOf(value)}`);
  return told.length === 0 ? 'no evidence' : told.join(', ');
}

const wordOf = (value: Json): string => (typeof value === 'string' ? named(value) : JSON.stringify(value));
