import * as fc from 'fast-check';
import { framed, type Headers } from './grpc-frames.js';

/** The faults of a gRPC call outside of its message: frames and metadata. */

export interface BentCall {
  readonly framing: Framing;
  readonly caller: 'right' | 'nobody' | 'wrong' | 'garbage' | 'twice';
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

/**
 * `short`: the frame claims more bytes than it has. `long`: it claims fewer, so that another frame seems to follow.
 * `flagged`: it claims to be compressed. `huge`: it claims 4 GiB.
 */
export type Framing = 'whole' | 'split' | 'short' | 'long' | 'twice' | 'nothing' | 'flagged' | 'huge';

const framings = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom<Framing>('whole', 'split') },
  { weight: 1, arbitrary: fc.constantFrom<Framing>('short', 'long', 'twice', 'nothing', 'flagged', 'huge') },
);

const callers = fc.oneof(
  { weight: 12, arbitrary: fc.constant('right' as const) },
  { weight: 1, arbitrary: fc.constantFrom<BentCall['caller']>('nobody', 'wrong', 'garbage', 'twice') },
);

const ODD_VALUES = ['', ' ', '00-0', '-1', ';', '%00', 'x'.repeat(2000), '99999999H', '1S', '__proto__'];
const metadata: fc.Arbitrary<readonly [string, string]> = fc.oneof(
  fc.tuple(
    fc.constantFrom('traceparent', 'idempotency-key', 'x-odd', '__proto__', 'constructor', 'grpc-accept-encoding'),
    fc.constantFrom(...ODD_VALUES),
  ),
  fc.tuple(fc.constant('traceparent'), fc.constantFrom(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`, 'ff-1-1-1')),
  fc.tuple(fc.constant('odd-bin'), fc.constantFrom('AAAA', 'not base64', '=')),
  fc.tuple(fc.constant('grpc-timeout'), fc.constantFrom('1n', '10S', 'x', '-1S', '999999999999H')),
  fc.tuple(fc.constant('grpc-encoding'), fc.constantFrom('identity', 'gzip', 'deflate', 'odd')),
  fc.tuple(fc.constant('content-type'), fc.constantFrom('application/json', 'application/grpc+json', 'text/plain')),
);

/** A call with nothing wrong about it but what it asks for. */
export const PLAIN: BentCall = { framing: 'whole', caller: 'right', metadata: [] };

export const bentCalls: fc.Arbitrary<BentCall> = fc.record({
  framing: framings,
  caller: callers,
  metadata: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(metadata, { maxLength: 2 }) },
  ),
});

export function headersOf({ caller, metadata: more }: BentCall, tokens: { right: string; wrong: string }): Headers {
  const authorization = {
    right: `Bearer ${tokens.right}`,
    nobody: undefined,
    wrong: `Bearer ${tokens.wrong}`,
    garbage: 'Bearer ',
    // Metadata of one name is one line to HTTP/2: nobody can be two callers at once.
    twice: `Bearer ${tokens.wrong}, Bearer ${tokens.right}`,
  }[caller];
  return { ...Object.fromEntries(more), ...(authorization === undefined ? {} : { authorization }) };
}

/** The place at which `split` cuts a message in two. */
const SPLIT_AT = 3;

export function chunksOf(framing: Framing, message: Buffer): readonly Buffer[] {
  const whole = framed(message);
  switch (framing) {
    case 'whole':
      return [whole];
    case 'split':
      return [whole.subarray(0, SPLIT_AT), whole.subarray(SPLIT_AT)];
    case 'short':
      return [framed(message, message.length + 10)];
    case 'long':
      return [framed(message, message.length >> 1)];
    case 'twice':
      return [whole, whole];
    case 'nothing':
      return [];
    case 'flagged':
      return [framed(message, message.length, 1)];
    case 'huge':
      return [framed(message, 2 ** 32 - 1)];
  }
}
