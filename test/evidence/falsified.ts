import { randomBytes } from 'node:crypto';
import { parseEvent, sealEvent, type Event } from '../../libs/event-log/event.js';
import type { Answered } from '../support/service.js';

/** Ways to falsify a bundle, each with the start of the line that says where. `other` is a bundle of another trace. */
export type Falsification = readonly [name: string, falsify: (bundle: Answered, other: Answered) => void, line: RegExp];

const indexOf = (bundle: Answered, type: string, nth = 0): number =>
  bundle.events
    .map((json: string, index: number) => [parseEvent(json).type, index] as const)
    .filter(([found]: readonly [string, number]) => found === type)[nth]?.[1] ?? failing(`no ${type}`);

function failing(message: string): never {
  throw new Error(message);
}

/** Edits an event as somebody does who knows how ids are made. */
function edit(bundle: Answered, type: string, change: (event: Answered) => void, nth = 0): void {
  const index = indexOf(bundle, type, nth);
  const { id: _, ...event } = structuredClone(parseEvent(bundle.events[index])) as Event<string, Answered>;
  change(event);
  bundle.events[index] = sealEvent(event).json;
}

const edited =
  (type: string, change: (event: Answered) => void): Falsification[1] =>
  (bundle) =>
    edit(bundle, type, change);

function drop(bundle: Answered, index: number): void {
  bundle.events.splice(index, 1);
  bundle.proofs.leaves.splice(index, 1);
}

const placeOf = (bundle: Answered, type: string, nth = 0): string => {
  const { stream, revision } = parseEvent(bundle.events[indexOf(bundle, type, nth)]);
  return `${stream}@${revision}`;
};

const partsOf = (bundle: Answered, type: string): Answered => bundle.payloads[placeOf(bundle, type)];
const swap = (list: Answered, a: number, b: number): void => void ([list[a], list[b]] = [list[b], list[a]]);
const cedarOf = ({ documents }: Answered): string =>
  Object.keys(documents).find((digest) => typeof documents[digest] === 'string') ?? failing('no policy');
const schemaOf = ({ documents }: Answered): string =>
  Object.keys(documents).find((digest) => documents[digest].type === 'object') ?? failing('no schema');
const NOT_LEAF = /^NOT SOUND: \/events\/\d+ \(\S+@\d+\): is not leaf \d+ of the log/;

export const FALSIFICATIONS: readonly Falsification[] = [
  [
    'a byte of an event',
    (b) => (b.events[3] = b.events[3].replace('"data"', '"dbta"')),
    /\/events\/3: its id does not fit/,
  ],
  ['an event with blanks', (b) => (b.events[3] = b.events[3].replace('{', '{ ')), /\/events\/3: its id does not fit/],
  ['the time of a decision', edited('CallDecided', (e) => (e.time = '2020-01-01T00:00:00.000Z')), NOT_LEAF],
  ['the actor of a decision', edited('CallDecided', (e) => (e.actor = 'olga')), NOT_LEAF],
  ['the user of a decision', edited('CallDecided', ({ data }) => (data.user = 'eve')), NOT_LEAF],
  ['a deny made an allow', edited('CallDecided', ({ data }) => (data.decision = 'deny')), NOT_LEAF],
  ['the reviewer', edited('VersionReviewed', (e) => (e.actor = 'eve')), NOT_LEAF],
  ['the reason of a review', edited('VersionReviewed', ({ data }) => (data.reason = 'fine')), NOT_LEAF],
  ['rejected made approved', edited('VersionReviewed', ({ data }) => (data.verdict = 'rejected')), NOT_LEAF],
  ['the issuer of a directive', edited('DirectiveIssued', (e) => (e.actor = 'eve')), NOT_LEAF],
  ['the time of a directive', edited('DirectiveIssued', (e) => (e.time = '2020-01-01T00:00:00.000Z')), NOT_LEAF],
  ['the verdict of a response', edited('ResponseValidated', ({ data }) => (data.verdict = 'rejected')), NOT_LEAF],
  ['the outcome', edited('OutcomeRecorded', ({ data }) => (data.status = 'failed')), NOT_LEAF],
  ['the scope of a task', edited('TaskOpened', ({ data }) => (data.scope[0].effects = ['write'])), NOT_LEAF],
  ['a policy in force', edited('PolicyReviewed', ({ data }) => (data.verdict = 'rejected')), NOT_LEAF],
  ['a role of a principal', edited('PrincipalAdded', ({ data }) => data.roles.push('admin')), NOT_LEAF],
  ['the trace of an event', edited('CallDecided', (e) => (e.traceId = 'ab'.repeat(16))), NOT_LEAF],
  [
    'an event dropped in the middle',
    (b) => drop(b, indexOf(b, 'CallDecided', 1)),
    /revision \d+ of its stream is missing/,
  ],
  [
    'the last call of a task dropped',
    (b) =>
      drop(
        b,
        b.events.findLastIndex((e: string) => parseEvent(e).stream.startsWith('calls-')),
      ),
    /^NOT SOUND: calls-\S+: has \d+ events as of the checkpoint, and \d+/,
  ],
  [
    'the last event of a control stream dropped',
    (b) => drop(b, indexOf(b, 'DirectiveLifted')),
    /directives: is needed up to revision \d/,
  ],
  [
    'the closing of a task dropped',
    (b) => drop(b, indexOf(b, 'TaskClosed')),
    /task-\S+: has \d events as of the checkpoint, and \d of them/,
  ],
  ['all events dropped', (b) => ((b.events = []), (b.proofs.leaves = [])), /^NOT SOUND: /],
  [
    'an event twice',
    (b) => (b.events.push(b.events[0]), b.proofs.leaves.push(b.proofs.leaves[0])),
    /is the second event with leaf/,
  ],
  [
    'an event twice under another leaf',
    (b) => (b.events.push(b.events[0]), b.proofs.leaves.push(2)),
    /the proof that it is leaf 2 of the log is not whole/,
  ],
  ['two events swapped', (b) => swap(b.events, 0, 1), NOT_LEAF],
  [
    'two events swapped with their leaves',
    (b) => (swap(b.events, 0, 1), swap(b.proofs.leaves, 0, 1)),
    /comes after revision|is missing/,
  ],
  ['two leaves swapped', (b) => swap(b.proofs.leaves, 0, 1), NOT_LEAF],
  ['a leaf behind the log', (b) => (b.proofs.leaves[2] = 9e9), /names leaf 9000000000/],
  ['leaves left out', (b) => b.proofs.leaves.pop(), /\/proofs\/leaves: has \d+ numbers for \d+ events/],
  [
    'an event of another trace',
    (b, o) => b.events.push(o.events[0]) && b.proofs.leaves.push(o.proofs.leaves[0]),
    /was put in|proof that it is leaf \d+ of the log is not whole/,
  ],
  [
    'an event of another trace with its proof',
    (b, o) => {
      b.events.push(o.events[0]);
      b.proofs.leaves.push(o.proofs.leaves[0]);
      Object.assign(b.proofs.nodes, o.proofs.nodes);
    },
    /was put in/,
  ],
  ['another trace', (b, o) => (b.traceId = o.traceId), /^NOT SOUND: /],
  ['a made-up trace', (b) => (b.traceId = 'cd'.repeat(16)), /^NOT SOUND: /],
  ['a trace of another form', (b) => (b.traceId = 'x'), /\/traceId: needs 32 lower-case hex digits/],
  ['another format', (b) => (b.format = 2), /\/format: /],
  [
    'the checkpoint of another log',
    (b, o) => (b.checkpoint = o.foreign.checkpoint),
    /\/checkpoint: its signature|\/keys: are not exactly/,
  ],
  [
    'the checkpoint of another log with its key',
    (b, o) => ((b.checkpoint = o.foreign.checkpoint), (b.keys = o.foreign.keys)),
    /\/checkpoint: none of the given keys signed it as the key of the log/,
  ],
  [
    'another bundle, whole, of another log',
    (b, o) => Object.assign(b, o.foreign),
    /\/checkpoint: none of the given keys signed it as the key of the log/,
  ],
  ['an older checkpoint', (b, o) => (b.checkpoint = o.older.checkpoint), /is not leaf|names leaf|not whole/],
  [
    'the size of the checkpoint',
    (b) => (b.checkpoint = b.checkpoint.replace(/\n\d+\n/, '\n7\n')),
    /\/checkpoint: its signature is wrong/,
  ],
  [
    'a signature cut off',
    (b) => (b.checkpoint = b.checkpoint.split('\n\n')[0] + '\n'),
    /\/checkpoint: the note has no signatures/,
  ],
  ['a signature twice', (b) => (b.checkpoint += b.checkpoint.split('\n\n')[1]), /\/keys: are not exactly/],
  ['another key', (b, o) => (b.keys = o.foreign.keys), /\/keys: are not exactly/],
  ['one more key', (b, o) => b.keys.push(o.foreign.keys[0]), /\/keys: are not exactly/],
  ['no keys', (b) => (b.keys = []), /\/keys: /],
  ['a key of another form', (b) => (b.keys = ['x']), /\/keys\/0: is no verifier key/],
  [
    'a node',
    (b) => {
      const [name = ''] = Object.keys(b.proofs.nodes);
      b.proofs.nodes[name] = randomBytes(32).toString('base64');
    },
    /is not leaf \d+ of the log/,
  ],
  [
    'a node dropped',
    (b) => {
      const [name = ''] = Object.keys(b.proofs.nodes);
      delete b.proofs.nodes[name];
    },
    /the proof that it is leaf \d+ of the log is not whole/,
  ],
  [
    'a node put in',
    (b) => (b.proofs.nodes['0-1000000'] = randomBytes(32).toString('base64')),
    /\/proofs\/nodes: a node was put in/,
  ],
  [
    'a node called __proto__',
    (b) =>
      Object.defineProperty(b.proofs.nodes, '__proto__', {
        value: randomBytes(32).toString('base64'),
        enumerable: true,
      }),
    /\/proofs\/nodes: a node was put in/,
  ],
  [
    'the map leaf',
    (b) => (b.completeness.leaf = b.completeness.leaf.replace('"root":"', '"root":"A')),
    /\/completeness\/leaf: is not leaf/,
  ],
  [
    'the completeness of a stream dropped',
    (b) => {
      const [stream = ''] = Object.keys(b.completeness.streams);
      delete b.completeness.streams[stream];
    },
    /the proof that its events are complete is missing/,
  ],
  [
    'the completeness of another stream',
    (b) => {
      const [one = '', two = ''] = Object.keys(b.completeness.streams);
      b.completeness.streams[one] = b.completeness.streams[two];
    },
    /\/completeness\/streams \(\S+\): the proof that its events are complete is wrong/,
  ],
  [
    'a shorter completeness',
    (b) => {
      const [one = ''] = Object.keys(b.completeness.streams);
      b.completeness.streams[one].siblings.pop();
    },
    /the proof that its events are complete is wrong/,
  ],
  [
    'the revision in a completeness',
    (b) => {
      const [one = ''] = Object.keys(b.completeness.streams);
      b.completeness.streams[one].leaf.revision -= 1;
    },
    /^NOT SOUND: \/completeness\/streams/,
  ],
  [
    'the chain in a completeness',
    (b) => {
      const [one = ''] = Object.keys(b.completeness.streams);
      b.completeness.streams[one].leaf.chain = randomBytes(32).toString('base64');
    },
    /^NOT SOUND: \/completeness\/streams/,
  ],
  [
    'a completeness put in',
    (b) => (b.completeness.streams['task-x'] = { siblings: [] }),
    /\/completeness\/streams: a proof was put in: task-x/,
  ],
  [
    'a task with all its events',
    (b) => {
      const stream = parseEvent(b.events[indexOf(b, 'TaskOpened')]).stream;
      for (const name of [stream, stream.replace('task', 'calls')]) {
        for (let i = b.events.length; i--;) if (parseEvent(b.events[i]).stream === name) drop(b, i);
        delete b.completeness.streams[name];
      }
    },
    /^NOT SOUND: /,
  ],
  [
    'the arguments of a call',
    (b) => (partsOf(b, 'CallDecided')[0][2] = { key: 'other' }),
    /\/payloads\/calls-\S+@1: arguments is not what the event committed to/,
  ],
  [
    'a salt',
    (b) => (partsOf(b, 'CallDecided')[0][1] = randomBytes(32).toString('base64')),
    /\/payloads\/calls-\S+@1: arguments is not what/,
  ],
  [
    'the purpose of a task',
    (b) => (partsOf(b, 'TaskOpened').find(([name]: Answered) => name === 'purpose')[2] = 'steal'),
    /\/payloads\/task-\S+@1: purpose is not what/,
  ],
  [
    'a response',
    (b) => (partsOf(b, 'ResponseValidated').find(([name]: Answered) => name === 'raw')[2].result = {}),
    /\/payloads\/calls-\S+: raw is not what/,
  ],
  [
    'what the agent was given',
    (b) => (partsOf(b, 'ResponseValidated').find(([name]: Answered) => name === 'validated')[2].parts = []),
    /\/payloads\/calls-\S+: validated is not what/,
  ],
  [
    'a part of a payload dropped',
    (b) => partsOf(b, 'ResponseValidated').pop(),
    /\/payloads\/calls-\S+: (validated|raw) is missing/,
  ],
  [
    'a part of a payload twice',
    (b) => partsOf(b, 'CallDecided').push(partsOf(b, 'CallDecided')[0]),
    /its parts are not in order of their names/,
  ],
  [
    'a payload dropped',
    (b) => delete b.payloads[placeOf(b, 'CallDecided')],
    /\/payloads\/calls-\S+@1: is missing, and no event says that it was erased/,
  ],
  [
    'two payloads swapped',
    (b) => {
      const [one, two] = [placeOf(b, 'CallDecided'), placeOf(b, 'CallDecided', 1)];
      [b.payloads[one], b.payloads[two]] = [b.payloads[two], b.payloads[one]];
    },
    /is not what the event committed to/,
  ],
  ['a payload put in', (b) => (b.payloads['calls-x@1'] = []), /\/payloads: content was put in: calls-x@1/],
  [
    'a payload called __proto__',
    (b) => Object.defineProperty(b.payloads, '__proto__', { value: [], enumerable: true }),
    /\/payloads: content was put in: __proto__/,
  ],
  ['a policy', (b) => (b.documents[cedarOf(b)] += ' '), /\/documents\/sha256:\w+: was altered: a policy set/],
  ['a policy dropped', (b) => delete b.documents[cedarOf(b)], /\/documents: sha256:\w+ is missing: a policy set/],
  ['a schema', (b) => (b.documents[schemaOf(b)].title = 'x'), /\/documents\/sha256:\w+: was altered: a schema of/],
  [
    'a schema as a text',
    (b) => (b.documents[schemaOf(b)] = JSON.stringify(b.documents[schemaOf(b)])),
    /\/documents\/sha256:\w+: was altered: a schema of/,
  ],
  ['a document put in', (b) => (b.documents[`sha256:${'0'.repeat(64)}`] = {}), /\/documents: a document was put in/],
  [
    'a document called __proto__',
    (b) => Object.defineProperty(b.documents, '__proto__', { value: {}, enumerable: true }),
    /\/documents: a document was put in/,
  ],
  ['an engine', (b) => (b.engines[0].decider = 1), /\/engines: are not exactly/],
  ['an engine put in', (b) => b.engines.push({ decider: 3 }), /\/engines: are not exactly/],
  ['an unknown member', (b) => (b.note = 'x'), /the file: Unrecognized key/],
  ['an unknown member within', (b) => (b.proofs.note = 'x'), /\/proofs: Unrecognized key/],
  ['a member dropped', (b) => delete b.documents, /\/documents: /],
];
