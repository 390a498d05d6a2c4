import { randomUUID } from 'node:crypto';
import { isJsonObject, ownValue, type Json, type JsonObject } from '../../kernel/canonical-json.js';
import type { McpResponse } from '../../mcp/message.js';
import type { DecideServerRequest } from '../../mcp/server-requests.js';
import type { Envelope } from '../service/answers.js';
import type { HostClient } from '../service/client.js';
import { heldBack } from './call.js';
import type { Flights } from './flights.js';
import { CLIENT_PREFIX, type Permit } from './permit.js';
import type { Records } from './records.js';
import { refusedBy } from './refusal.js';

export interface ServerRequestParts {
  readonly taskId: string;
  readonly client: Pick<HostClient, 'validateResponse'>;
  readonly permit: Permit;
  readonly flights: Flights;
  readonly records: Records;
}

/** The words of an error that leaves: those of the client could hold anything. */
const CLIENT_FAILED = 'the client answered with an error';
const INTERNAL_ERROR = -32_603;

/**
 * Asks the service about each request of the server to its host, twice. First, whether it may be made: the client then
 * gets its texts as quoted evidence, after the search for responses. Then, with the client's answer as the arguments,
 * which part of it may leave. It does not leave if either of them was stopped meanwhile.
 */
export const serverRequestDecider =
  ({ taskId, client, permit, flights, records }: ServerRequestParts): DecideServerRequest =>
  async (method, params) => {
    const [callId, operation] = [randomUUID(), `${CLIENT_PREFIX}${method}`];
    const asking = flights.begin(await permit({ callId, operation, arguments: params }));
    const notSent = (id: string, reason: string): undefined => {
      records.outcome(id, { status: 'failed', control: { decision: 'not_sent', by: 'host', reason } });
    };

    /** The part of a result that may leave; undefined if none may. */
    const released = async (result: JsonObject): Promise<JsonObject | undefined> => {
      const answerId = randomUUID();
      const allow = await permit({ callId: answerId, operation, arguments: result });
      const leaving = flights.begin(allow);
      const reason = asking.stopped() ?? leaving.stopped();
      leaving.end();
      if (reason !== undefined) return notSent(answerId, reason);
      records.outcome(answerId, { status: 'succeeded' });
      return allow.outbound.arguments;
    };

    const answer = async (response: McpResponse): Promise<McpResponse | undefined> => {
      try {
        const stopped = asking.stopped();
        if (stopped !== undefined) return notSent(callId, stopped);
        if ('error' in response) {
          records.outcome(callId, { status: 'failed' });
          return { error: { code: codeOf(response.error), message: CLIENT_FAILED } };
        }
        const result = await released(response.result);
        if (result === undefined) return notSent(callId, asking.stopped() ?? 'disabled');
        records.outcome(callId, { status: 'succeeded' });
        return { result };
      } catch (error) {
        return notSent(callId, refusedBy(error, callId).refusal.reason);
      } finally {
        asking.end();
      }
    };
    const dropped = (reason = 'cancelled'): void => {
      asking.end();
      notSent(callId, reason);
    };
    try {
      return { params: await shownParams(client, taskId, callId, params), answer, dropped: () => dropped() };
    } catch (error) {
      dropped(refusedBy(error, callId).refusal.reason);
      throw error;
    }
  };

function codeOf(error: JsonObject): number {
  const code = ownValue(error, 'code');
  return typeof code === 'number' ? code : INTERNAL_ERROR;
}

/**
 * The params of a request as the client gets them: searched, cleaned and marked as a response is, in the same shape. Texts
 * by themselves are between boundary lines. `_meta` is left out. Rejects if the content is held back.
 */
async function shownParams(
  client: Pick<HostClient, 'validateResponse'>,
  taskId: string,
  callId: string,
  { _meta, ...said }: JsonObject,
): Promise<JsonObject> {
  if (Object.keys(said).length === 0) return {};
  const messages = ownValue(said, 'messages');
  // Messages are also read as blocks, so that their media are searched. The whole is the last part of the envelope.
  const result = { structuredContent: said, ...(Array.isArray(messages) ? { messages } : {}) };
  const validated = await client.validateResponse(callId, { taskId, result });
  const last = validated.content?.parts.at(-1);
  const shown = last?.type === 'structured' ? last.value : undefined;
  if (validated.content === undefined || !isJsonObject(shown)) throw heldBack(callId, validated);
  return quotedIn(shown, validated.content) as JsonObject;
}

/** Members of requests that are texts by themselves. */
const TEXTS: ReadonlySet<string> = new Set(['message', 'systemPrompt', 'text']);

/** The same value with its texts between the boundary lines of an envelope. Its depth is bounded by the service. */
function quotedIn(value: Json, envelope: Envelope): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (!isJsonObject(value)) return value.map((item) => quotedIn(item, envelope));
  const { boundary, source } = envelope;
  const first = `<<untrusted ${boundary} ${source.capability}@${source.version} ${source.operation}>>`;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      TEXTS.has(name) && typeof member === 'string'
        ? `${first}\n${member}\n<<end ${boundary}>>`
        : quotedIn(member, envelope),
    ]),
  );
}
