import { defined } from '../../kernel/defined.js';
import { isActive } from '../../vocabulary/active-media.js';
import type { Envelope, OutboundRefusal, Part, Redaction } from '../service/answers.js';
import type { Refusal } from './refusal.js';

/**
 * The result of a guarded tool call, in the form of an MCP tool result. All text in it is quoted. A program that shows
 * nothing to a model reads `envelope.parts` instead.
 */
export interface GuardedToolResult {
  readonly content: readonly ToolContent[];
  readonly isError: boolean;
  readonly callId: string;
  /** The evidence that `content` was made from: source label, boundary, digest. Absent if the call was refused. */
  readonly envelope?: Envelope;
  /** Why there is no content. */
  readonly refusal?: Refusal;
  /** The work of the filter on the call. Absent if everything was sent as it was. */
  readonly filtered?: Filtered;
}

/** The parts of a call that were not sent, and the duties that follow, such as `summarise:<id>`. */
export interface Filtered {
  readonly redactions: readonly Redaction[];
  readonly refusals: readonly OutboundRefusal[];
  readonly obligations: readonly string[];
}

export const NOT_FILTERED: Filtered = { redactions: [], refusals: [], obligations: [] };

/** The words that an agent gets in place of a held response. */
const HELD = 'The response is held until a person has looked at it.';

export type ToolContent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image' | 'audio'; readonly data: string; readonly mimeType: string }
  | {
      readonly type: 'resource';
      readonly resource: { readonly uri: string; readonly mimeType: string; readonly blob: string };
    };

export function toolResult(delivered: {
  readonly callId: string;
  readonly envelope: Envelope;
  readonly isError: boolean;
  readonly filtered: Filtered;
}): GuardedToolResult {
  const { callId, envelope, isError, filtered } = delivered;
  const { redactions, refusals, obligations } = filtered;
  const isWhole = redactions.length + refusals.length + obligations.length === 0;
  return defined({
    content: envelope.parts.flatMap((part) => contentOf(part, envelope)),
    isError,
    callId,
    envelope,
    filtered: isWhole ? undefined : filtered,
  });
}

/**
 * The model reads the reason, and which of its own arguments are wrong. It reads no text of the server.
 */
export function toolRefusal(refusal: Refusal): GuardedToolResult {
  const { reason, by, callId, errors, approval } = refusal;
  const notice = reason === 'response_quarantined' ? HELD : undefined;
  const text = JSON.stringify(defined({ refused: true, reason, by, callId, errors, approval: approval?.id, notice }));
  return { content: [{ type: 'text', text }], isError: true, callId: refusal.callId, refusal };
}

function contentOf(part: Part, { boundary, source }: Envelope): ToolContent[] {
  if (part.type === 'text') return [{ type: 'text', text: part.text }];
  if (part.type === 'structured') {
    // The boundary occurs in no part.
    const label = `${source.capability}@${source.version} ${source.operation}`;
    const text = `<<untrusted ${boundary} ${label}>>\n${JSON.stringify(part.value)}\n<<end ${boundary}>>`;
    return [{ type: 'text', text }];
  }
  const { data, mimeType, digest } = part;
  // SVG may hold scripts, so it is passed on as bytes.
  if (mimeType.startsWith('image/') && !isActive(mimeType)) return [{ type: 'image', data, mimeType }];
  if (mimeType.startsWith('audio/')) return [{ type: 'audio', data, mimeType }];
  return [{ type: 'resource', resource: { uri: digest, mimeType, blob: data } }];
}
