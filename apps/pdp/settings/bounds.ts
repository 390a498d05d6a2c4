import { Handling } from '../../../libs/vocabulary/quarantine.js';
import { setting, whole } from './setting.js';

/** How much may be in progress at once. Excess load is rejected immediately, before any work is done. */
export const BOUNDS = {
  callsInFlight: setting(
    'SALLYPORT_CALLS_IN_FLIGHT',
    whole(1, 100_000),
    '1024',
    'Requests of hosts in progress at once (decisions, responses, outcomes, tasks); above it 429. Stops of any kind do not count.',
    'The larger the number, the longer each request waits under overload.',
  ),
  callWaitMs: setting(
    'SALLYPORT_CALL_WAIT_MS',
    whole(10, 60_000),
    '1000',
    'How long such a request may take, in milliseconds. While requests take longer, new ones get 429.',
    'If it is shorter than a commit of the disk takes, hosts are refused for no reason.',
  ),
  auditQueries: setting(
    'SALLYPORT_AUDIT_QUERIES',
    whole(1, 1000),
    '8',
    'Requests of one principal under `/v1/audit` in progress at once, and half of those of all; above it 429.',
    'One answer may hold 16 MiB until its client has read it.',
  ),
  bodiesBytes: setting(
    'SALLYPORT_BODIES_BYTES',
    whole(1_048_576, 17_179_869_184),
    '134217728',
    'Bytes of larger request bodies, of all clients together, held at once; above it 429. One principal gets half.',
    'Below twice the largest body, that body is never accepted.',
  ),
  connections: setting(
    'SALLYPORT_CONNECTIONS',
    whole(8, 1_000_000),
    '4096',
    'Maximum connections per interface. Above it, the oldest unauthenticated connection is closed.',
    'Each is an open file: the limit of the process has to be higher than both interfaces together.',
  ),
  clientMs: setting(
    'SALLYPORT_CLIENT_MS',
    whole(500, 600_000),
    '30000',
    'How long a client may take to send a request or to read an answer, in milliseconds. Then its connection is closed.',
    'If it is too short, clients on slow lines never get a large request through.',
  ),
  grpcCalls: setting(
    'SALLYPORT_GRPC_CALLS',
    whole(4, 100_000),
    '512',
    'Open gRPC calls, streams included; above it RESOURCE_EXHAUSTED. One host gets half.',
    'Each may hold a message of the largest size while it comes in.',
  ),
  watches: setting(
    'SALLYPORT_WATCHES',
    whole(2, 100_000),
    '2048',
    'Instances of hosts that watch directives at once, over HTTP and gRPC; above it 429. One host gets half.',
    'Each holds a connection, or a stream of one: keep it below SALLYPORT_CONNECTIONS.',
  ),
};

/** How long responses are accepted, and what validating them may cost. */
export const RESPONSES = {
  responseMs: setting(
    'SALLYPORT_RESPONSE_MS',
    whole(1000, 86_400_000),
    '3600000',
    'How long after its allow a response is delivered, in milliseconds. A later one is `rejected` as `late`.',
    'If it is long, a response reaches an agent after operators believe that the call is over.',
  ),
  quarantine: setting(
    'SALLYPORT_QUARANTINE',
    Handling,
    'quote',
    'The handling of a response that holds an instruction, if the review of its version names none: `quote` delivers it as marked evidence, `hold` waits for a release, `refuse` delivers nothing.',
    'No detector finds every instruction. With `quote`, agents still read what it found, as evidence.',
  ),
};

/** How long approvals count. */
export const APPROVALS = {
  approvalMs: setting(
    'SALLYPORT_APPROVAL_MS',
    whole(1000, 86_400_000),
    '600000',
    'How long an approval may be decided and used after it was requested, in milliseconds.',
    'If it is long, a call is made long after its approver looked at it.',
  ),
};

export const VALIDATION = {
  validationMs: setting(
    'SALLYPORT_VALIDATION_MS',
    whole(100, 60_000),
    '5000',
    'Processor time for reading and validating one response or definition, in milliseconds. Above it, or above six times as much on the clock, a response is `rejected` as `too_costly`, and a proposal is a 400.',
    'If it is shorter than honest content needs on a slow machine, that content is rejected.',
  ),
  validationThreads: setting(
    'SALLYPORT_VALIDATION_THREADS',
    whole(2, 64),
    '2',
    'Threads that read and validate responses and definitions. One host gets half of them. One of them does no content above 256 KiB.',
    'Each may take 400 MB while it works on the largest content.',
  ),
};
