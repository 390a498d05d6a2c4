import { attemptsOf, type Attempt, type Attempts } from '../audit/attempts.js';
import { Contents } from '../audit/contents.js';
import { DirectiveHistory } from '../audit/directive-history.js';
import { History } from '../audit/history.js';
import { Reconstructor } from '../audit/reconstruct.js';
import { replayed } from '../audit/replay.js';
import { validatedAgain } from '../audit/response-again.js';
import { byPosition } from '../audit/stored-event.js';
import { DecisionEngines } from '../decision-point/engines.js';
import { canonicalJson } from '../kernel/canonical-json.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { families } from '../streams/catalogue.js';
import { logOf } from './bundle-log.js';
import type { Bundle } from '../contract/bundle-format.js';
import type { BundledStreams } from './streams.js';
import type { Findings } from './verdict.js';

/** Decides every call again from the bundle alone, by the code with which the service replays. */
export async function checkDecisions(
  bundle: Bundle,
  { streams, needs }: BundledStreams,
  findings: Findings,
): Promise<void> {
  const deciders = [...needs.engines].sort();
  const told = bundle.engines.map((each) => canonicalJson(each));
  if (canonicalJson(told) !== canonicalJson(deciders))
    findings.fault('/engines', 'are not exactly the engines that the decisions name');
  const { log, keys } = logOf(bundle, streams, needs.shredded);
  const history = new History(log, new DirectiveHistory(log));
  const engines = new DecisionEngines(log);
  const contents = new Contents(log, keys);
  const reconstructor = new Reconstructor(log, engines, history, contents);
  const responses = { same: 0, differs: 0, unchecked: 0 };
  const { attempts, unreadable } = attemptsIn(streams);
  for (const event of unreadable) findings.fault(payloadPlace(event), 'is a decision that cannot be read');
  for (const attempt of attempts) {
    const place = payloadPlace(attempt.event);
    const call = await replayed(reconstructor, attempt);
    const { callId, identical, recorded, redecided } = call;
    const { decision, reason, digest } = recorded;
    findings.calls.push({ place, callId, attempt: call.attempt, decision, reason, digest, identical });
    const again = `${redecided.decision} ${redecided.reason}`;
    if (identical === false)
      findings.fault(place, `call ${callId} is recorded as ${decision} ${reason}, and decided again as ${again}`);
    if (identical === 'key_missing' && bundle.payloads !== undefined)
      findings.fault(place, `the content of call ${callId} is missing`);
    if (identical === 'engine_gone')
      findings.gap(
        'this version of sallyport lacks an engine (decider or Cedar version) that decided some of the calls',
      );
    const validated = await validatedAgain(engines, history, contents, attempt);
    if (validated !== undefined) responses[validated] += 1;
    if (validated === 'unchecked' && hasContent(bundle, attempt))
      findings.gap(
        'some responses have a verdict that rests on a limit, the time or a directive, and not on the content',
      );
    if (validated === 'differs')
      findings.fault(place, `the response of call ${callId} is recorded with a verdict that its content does not get`);
  }
  const same = findings.calls.filter(({ identical }) => identical === true).length;
  findings.checked.push(`${same} of ${attempts.length} decisions come out the same again, from the bundle alone`);
  if (same < attempts.length && findings.isSound)
    findings.checked.push('the others come out the same as far as they can be decided without their content');
  const total = responses.same + responses.unchecked;
  if (total > 0)
    findings.checked.push(
      `${responses.same} of ${total} responses get the same verdict again${hint(responses.unchecked)}`,
    );
}

/** Content that is missing is a gap of its own. */
const hasContent = ({ payloads }: Bundle, { response }: Attempt): boolean =>
  payloads !== undefined && response !== undefined && Object.hasOwn(payloads, payloadPlace(response.event));

const hint = (unchecked: number): string =>
  unchecked === 0
    ? ''
    : '; of the others the content is gone, or the verdict rests on a limit, the time or a directive';

/** In order of the log, so that states only move forward. */
function attemptsIn(streams: BundledStreams['streams']): Attempts {
  const of = [...streams].filter(([stream]) => families.calls.has(stream) || families.refusals.has(stream));
  const found = of.map(([, events]) => attemptsOf(events));
  const attempts = found.flatMap((each) => each.attempts).sort((a, b) => byPosition(a.event, b.event));
  return { attempts, unreadable: found.flatMap(({ unreadable }) => unreadable) };
}
