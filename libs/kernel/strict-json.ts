import { isUtf8 } from 'node:buffer';
import type { Json } from './canonical-json.js';
import { pointerAt } from './json-place.js';
import { exceededBound, type ValueBounds } from './json-values.js';
import type { JsonPointer } from './pointer.js';
import { refusal, type Refusal } from './refusal.js';
import { err, ok, type Result } from './result.js';

/**
 * Why a text was not taken as JSON. `offset` counts UTF-16 units from the start of the text, and `path` names the value
 * there, or the object whose key is at fault; both are absent if the place is unknown.
 */
export interface JsonFault {
  readonly kind: 'syntax' | 'duplicate_key' | 'inexact_number' | 'lone_surrogate' | 'too_deep' | 'too_many_values';
  readonly message: string;
  readonly offset?: number;
  readonly path?: JsonPointer;
}

/**
 * Parses JSON and refuses what I-JSON (RFC 7493) forbids and what two readers could understand differently: duplicate
 * keys, numbers that a double does not hold, lone surrogates, nesting deeper than `maxDepth`, and more values than
 * `values` allow, which are counted before anything is built. A double holds a number if the number is its exact value
 * (2^63 in full) or its shortest text (0.1, and 2^63 as JSON.stringify writes it).
 * Attacker-controlled input: time is linear in the text, and recursion is bounded by `maxDepth`.
 */
export function parseStrictJson(text: string, maxDepth: number, values?: ValueBounds): Result<Json, JsonFault> {
  const exceeded = values === undefined ? undefined : exceededBound(text, values);
  if (exceeded !== undefined) return err({ kind: 'too_many_values', message: `more than ${exceeded.most} values` });
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    // The engine's own message quotes the text, which may hold a secret.
    return err({ kind: 'syntax', message: 'not JSON' });
  }
  // A text with this many brackets or fewer cannot be deeper.
  if (brackets(text) > maxDepth && depthOf(value, maxDepth) > maxDepth)
    return err({ kind: 'too_deep', message: `nested deeper than ${maxDepth}` });
  // Most clients send the output of JSON.stringify. Such a text, parsed and written again, is unchanged: nothing was
  // dropped, rounded or unescaped on the way.
  if (!text.includes('\\u') && text.isWellFormed() && JSON.stringify(value) === text) return ok(value);
  const fault = new Scanner(text).scan();
  if (fault === undefined) return ok(value);
  return err(fault.offset === undefined ? fault : { ...fault, path: pointerAt(text, fault.offset) });
}

/** The limits of JSON from outside. */
export interface JsonLimits {
  readonly maxDepth: number;
  readonly values?: ValueBounds | undefined;
}

/**
 * Parses JSON from outside strictly; `what` names it for the caller. Refuses with `malformed_request` or `too_large`,
 * and the detail never quotes the text.
 */
export function readStrictJson(bytes: Uint8Array, limits: JsonLimits, what?: string): Result<Json, Refusal> {
  if (!isUtf8(bytes)) return err(refusal('malformed_request', `${what ?? 'the body'} is not UTF-8`));
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const parsed = parseStrictJson(text, limits.maxDepth, limits.values);
  if (parsed.ok) return parsed;
  const { kind, message, offset, path } = parsed.error;
  const where = offset === undefined ? '' : ` at character ${offset}`;
  const named = what === undefined ? '' : `${what}: `;
  const tooLarge = kind === 'too_deep' || kind === 'too_many_values';
  const errors = path === undefined ? undefined : [{ path, message }];
  return err(refusal(tooLarge ? 'too_large' : 'malformed_request', `${named}${message}${where}`, errors));
}

/** Nesting depth of a value (a scalar is 0); stops counting at one above `limit`. */
export function depthOf(value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (limit <= 0) return 1;
  let deepest = 0;
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member, limit - 1));
  return deepest + 1;
}

const [BRACE, BRACKET] = [0x7b, 0x5b];

/** Opening brackets of a text, those inside of strings too. */
function brackets(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === BRACE || unit === BRACKET) count += 1;
  }
  return count;
}

/** No number that a double holds exactly needs more: 1074 digits after the point, and the characters around them. */
const MAX_NUMBER_CHARS = 1100;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Walks a text that JSON.parse has accepted and whose depth is bounded, so it checks neither. */
class Scanner {
  private at = 0;

  constructor(private readonly text: string) {}

  scan(): JsonFault | undefined {
    return this.value();
  }

  private value(): JsonFault | undefined {
    this.skipSpace();
    switch (this.text[this.at]) {
      case '{':
        return this.members('}', new Set());
      case '[':
        return this.members(']', undefined);
      case '"':
        return this.string().fault;
      case 't':
      case 'n':
        this.at += 4;
        return undefined;
      case 'f':
        this.at += 5;
        return undefined;
      default:
        return this.number();
    }
  }

  private members(close: '}' | ']', seen: Set<string> | undefined): JsonFault | undefined {
    this.at += 1;
    for (;;) {
      this.skipSpace();
      if (this.text[this.at] === close) break;
      if (seen !== undefined) {
        const offset = this.at;
        const key = this.string();
        if (key.fault !== undefined) return key.fault;
        if (seen.has(key.value)) return { kind: 'duplicate_key', message: 'the same key twice in one object', offset };
        seen.add(key.value);
        this.skipSpace();
        this.at += 1; // the colon
      }
      const fault = this.value();
      if (fault !== undefined) return fault;
      this.skipSpace();
      if (this.text[this.at] === ',') this.at += 1;
    }
    this.at += 1;
    return undefined;
  }

  private string(): { value: string; fault?: JsonFault } {
    const start = this.at;
    let end = start + 1;
    while (this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    this.at = end + 1;
    const value = JSON.parse(this.text.slice(start, end + 1)) as string;
    if (value.isWellFormed()) return { value };
    return { value, fault: { kind: 'lone_surrogate', message: 'a surrogate without its pair', offset: start } };
  }

  private number(): JsonFault | undefined {
    NUMBER.lastIndex = this.at;
    const written = NUMBER.exec(this.text)?.[0] ?? '';
    const offset = this.at;
    this.at += Math.max(written.length, 1);
    if (written.length <= MAX_NUMBER_CHARS && isHeld(decimal(written), Number(written))) return undefined;
    return { kind: 'inexact_number', message: 'a number that a double cannot hold exactly', offset };
  }

  private skipSpace(): void {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at += 1;
  }
}

/** The shortest text of a double has at most this many digits; no other text with so few is its exact value either. */
const SHORTEST_DIGITS = 17;

/** Whether a text names a double: by the shortest text of the double, or exactly. */
function isHeld(written: string, double: number): boolean {
  if (written === decimal(String(double))) return true;
  return Number.isFinite(double) && written.length >= SHORTEST_DIGITS && written === exactDecimal(double);
}

/** All digits of a double (IEEE 754 binary64), spelt as `decimal` spells them. */
function exactDecimal(double: number): string {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(double));
  const raw = bits.getBigUint64(0);
  const biased = Number(raw >> 52n);
  const fraction = raw & 0xf_ffff_ffff_ffffn;
  const significand = biased === 0 ? fraction : fraction | 0x10_0000_0000_0000n;
  const power = Math.max(biased, 1) - 1075;
  const sign = double < 0 ? '-' : '';
  // m * 2^-k is m * 5^k * 10^-k.
  if (power < 0) return decimal(`${sign}${significand * 5n ** BigInt(-power)}e${power}`);
  return decimal(`${sign}${significand << BigInt(power)}`);
}

/** One spelling per decimal value: significant digits without outer zeros, and the exponent of the last digit. */
function decimal(written: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(written) ?? [];
  if (whole === '') return written;
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
