import { randomUUID } from 'node:crypto';
import { CONNECT } from '../../capability/definition.js';
import type { Task } from '../service/answers.js';
import { ServiceError, type HostClient, type Observed, type ServerEvidence } from '../service/client.js';
import { pinnedFor, type PinnedVersion } from './definition.js';
import type { Flights } from './flights.js';
import type { Observer } from './observer.js';
import type { Evidence, Permit } from './permit.js';
import type { Records } from './records.js';
import { CallRefused, refusedByServer } from './refusal.js';

export interface ConnectParts {
  readonly client: Pick<HostClient, 'version'>;
  readonly task: Task;
  readonly capability: string;
  readonly server: ServerEvidence;
  readonly permit: Permit;
  readonly flights: Flights;
  readonly records: Records;
  readonly observer: Observer;
  readonly evidence: Evidence;
  /** Connects the client to its transport. */
  handshake(signal: AbortSignal): Promise<void>;
}

/**
 * Asks for `$connect` before the first byte to the server, and again with the definition that the server then declares.
 * Resolves with the pinned version. Rejects with `CallRefused`, with `ServiceError`, or with an error of the program.
 */
export async function connectPinned(parts: ConnectParts): Promise<PinnedVersion> {
  const { client, task, capability, server, observer, evidence } = parts;
  const first = await whileAllowed(parts, { server }, async (signal) => {
    await parts.handshake(signal);
    return observer.begin(signal);
  });
  return whileAllowed(parts, evidence({ definition: first.definition }), async () => {
    const pin = task.pins.find((each) => each.capability === capability);
    if (pin === undefined) throw new ServiceError('unintelligible', 'the service allows what the task does not pin');
    const registered = await client.version(capability, pin.version);
    const scope = task.scope.filter((entry) => entry.capability === capability);
    return pinnedFor(registered, pin.definitionDigest, scope);
  });
}

/** Does the work under an allow of `$connect`. The recorded outcome is that of the work. */
async function whileAllowed<Value>(
  { permit, flights, records }: ConnectParts,
  seen: Observed,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const callId = randomUUID();
  const flight = flights.begin(await permit({ callId, operation: CONNECT, arguments: {}, seen }));
  try {
    const value = await unlessAborted(flight.signal, () => work(flight.signal));
    records.outcome(callId, { status: 'succeeded' });
    return value;
  } catch (error) {
    const reason = flight.stopped();
    if (reason === undefined) records.outcome(callId, { status: 'failed' });
    else records.outcome(callId, { status: 'unknown', control: { decision: 'aborted', by: 'host', reason } });
    if (error instanceof CallRefused || error instanceof ServiceError) throw error;
    if (reason !== undefined) throw new CallRefused({ reason, by: 'host', callId }, { cause: error });
    throw refusedByServer(error, callId);
  } finally {
    flight.end();
  }
}

/** Does not wait for work that ignores the signal; that work ends when the client is closed. */
async function unlessAborted<Value>(signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(new Error('stopped'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work(), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
