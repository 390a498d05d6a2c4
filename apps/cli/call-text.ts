import type { Json, JsonObject } from '../../libs/kernel/canonical-json.js';
import { checkLines } from './check-text.js';
import { at, dig, joined, list, printable, visible } from './print.js';

const MAX_CONTENT = 2000;

/** A decision for a person. `request` is what was asked: the answer names a context item by its place in it. */
export function decisionLines(answer: JsonObject, request: JsonObject, explain: boolean): string[] {
  const what = `${at(answer, 'capability')}/${at(answer, 'operation')}`;
  const call = `call ${at(answer, 'callId')}`;
  if (at(answer, 'decision') === 'allow') {
    const rule = at(answer, 'rule');
    return [
      printable(`ALLOW ${what} until ${at(answer, 'expiresAt')}${rule === '' ? '' : ` by ${rule}`} (${call})`),
      ...outboundLines(answer, request),
      ...obligationLines(answer),
      ...approvalLines(answer),
      ...(explain ? checkLines(answer) : []),
    ];
  }
  return [
    printable(`DENY  ${what}: ${at(answer, 'reason')} (${call})`),
    ...obligationLines(answer),
    ...approvalLines(answer),
    ...errorLines(answer),
    ...checkLines(answer).slice(explain ? 0 : -1),
  ];
}

function obligationLines(answer: JsonObject): string[] {
  const obligations = joined(answer, 'obligations');
  return obligations === '' ? [] : [printable(`the service asks for: ${obligations}`)];
}

/** All that crosses to the server, and all that the filter holds back. */
function outboundLines(answer: JsonObject, request: JsonObject): string[] {
  const outbound = dig(answer, 'outbound');
  return [
    printable(`may be sent: ${JSON.stringify(dig(outbound, 'arguments') ?? {})}`, MAX_CONTENT),
    ...list(outbound, 'context').map((item) => printable(itemText(item), MAX_CONTENT)),
    ...list(outbound, 'redactions').map((one) => printable(redactionText(one))),
    ...list(outbound, 'refusals').map((one) => printable(refusalText(one, request))),
  ];
}

function itemText(item: Json): string {
  const label = [at(item, 'level'), joined(item, 'categories')].filter((each) => each !== '').join(', ');
  return `may be sent: context ${at(item, 'id')} from ${at(item, 'source')} (${label}): ${JSON.stringify(at(item, 'content'))}`;
}

/** The reasons to take out an argument whole; any other type is that of a span. */
const TAKEN_OUT: ReadonlyMap<string, string> = new Map([
  ['not_declared', 'the schema of the operation does not declare it'],
  ['not_needed', 'the needs of the operation do not name it'],
  ['above_sensitivity', 'its label is above the sensitivity of the version'],
]);

function redactionText(one: Json): string {
  const [place, type, count] = [at(one, 'path'), at(one, 'type'), at(one, 'count')];
  const why = TAKEN_OUT.get(type);
  return why === undefined
    ? `redacted: ${place}: ${type}, ${count === '1' ? 'once' : `${count} times`}`
    : `taken out: ${place}: ${type}, because ${why}`;
}

function refusalText(one: Json, request: JsonObject): string {
  const [place, reason] = [at(one, 'path'), at(one, 'reason')];
  const [, index] = /^\/context\/(\d+)$/.exec(place) ?? [];
  if (index !== undefined)
    return `withheld: context ${at(request, 'context', Number(index), 'id')} (${place}): ${reason}`;
  const limit = reason === 'context_too_large' ? ', over the maxLength of the needs of the version' : '';
  return `withheld: ${place}: ${reason}${limit}`;
}

/** The approval that a call waits for or rests on, and the next step of the host. */
function approvalLines(answer: JsonObject): string[] {
  const approval = dig(answer, 'approval');
  if (approval === undefined) return [];
  const [id, state, by] = [at(approval, 'id'), at(approval, 'state'), at(approval, 'by')];
  const why = joined(approval, 'why');
  const line = printable(`approval ${id}: ${state}, by ${by} (${why}), until ${at(approval, 'expiresAt')}`);
  if (state !== 'pending') return [line];
  const next =
    by === 'client'
      ? 'next: ask the person at this client, then authorize again with --approval'
      : `next: sallyport approve ${id} as ${by === 'user' ? 'the user of the task' : 'somebody else than the user'}, then authorize again`;
  return [line, printable(next)];
}

/** The wrong arguments and the schema keyword of each, from the evidence of the failed check. */
function errorLines(answer: JsonObject): string[] {
  const errors = list(list(answer, 'checks').at(-1), 'evidence', 'errors');
  return errors.map((error) => printable(`  ${at(error, 'path') || '(all arguments)'}: ${at(error, 'keyword')}`));
}

/** The verdict on a response, its findings, the content for the agent, and the next step if it is held. */
export function verdictLines(answer: JsonObject): string[] {
  const parts = list(answer, 'content', 'parts');
  const isHeld = dig(answer, 'held') === true;
  return [
    printable(`${at(answer, 'verdict')}${isHeld ? ', held until a release' : ''} ${at(answer, 'rawDigest')}`),
    ...list(answer, 'findings').map((one) => {
      // A finding about the whole response, such as that it came too late, has no path.
      const where = at(one, 'path') === '' ? '' : ` at ${at(one, 'path')}`;
      return printable(`finding: ${at(one, 'severity')} ${at(one, 'kind')}${where}`);
    }),
    ...(isHeld
      ? [printable(`next: a reviewer or an operator: sallyport release ${at(answer, 'callId')} --reason …`)]
      : []),
    ...parts.flatMap((part) =>
      at(part, 'type') === 'text'
        ? at(part, 'text')
            .split('\n')
            .map((line) => visible(line, MAX_CONTENT))
        : [printable(`[${at(part, 'type')}] ${JSON.stringify(dig(part, 'value') ?? at(part, 'digest'))}`, MAX_CONTENT)],
    ),
  ];
}
