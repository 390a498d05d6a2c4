/**
 * The number of values that a JSON text may hold. A container is one value, and so is each of its items and members;
 * keys are not counted.
 */
export interface ValueBounds {
  readonly most: number;
  /** Bounds of their own for members of the outermost object; these do not count for the rest of the text. */
  readonly within?: Readonly<Record<string, ValueBounds>> | undefined;
}

/** The fewest characters per value: a digit and the comma after it. */
const LEAST_CHARS = 2;

/**
 * The bound that a text exceeds, undefined if it keeps all of them. Counts before anything is built, and stops at the
 * first excess value. Attacker-controlled input: time is linear in the text, memory is bounded by the bounds. A text
 * that is not JSON is counted in the same way, and its parser refuses it afterwards.
 */
export function exceededBound(text: string, bounds: ValueBounds): ValueBounds | undefined {
  if (text.length <= LEAST_CHARS * leastOf(bounds)) return undefined;
  return new Counter(text, bounds).count();
}

const leastKnown = new WeakMap<ValueBounds, number>();

function leastOf(bounds: ValueBounds): number {
  const known = leastKnown.get(bounds);
  if (known !== undefined) return known;
  const least = Math.min(bounds.most, ...Object.values(bounds.within ?? {}).map(leastOf));
  leastKnown.set(bounds, least);
  return least;
}

interface Tally {
  readonly bounds: ValueBounds;
  left: number;
}

interface Container {
  readonly tally: Tally;
  /** Whether `within` of the bounds applies to the members of this container. */
  readonly isOutermost: boolean;
  readonly isObject: boolean;
}

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

class Counter {
  private at = 0;
  private readonly open: Container[] = [];
  /** One for each bound, so that a duplicate key counts twice. */
  private readonly tallies = new Map<ValueBounds, Tally>();
  private next: { tally: Tally; isOutermost: boolean };
  private isKey = false;

  constructor(
    private readonly text: string,
    bounds: ValueBounds,
  ) {
    this.next = { tally: this.tallyOf(bounds), isOutermost: true };
  }

  count(): ValueBounds | undefined {
    const { text } = this;
    let inScalar = false;
    for (; this.at < text.length; this.at += 1) {
      const unit = text.charCodeAt(this.at);
      switch (unit) {
        case QUOTE: {
          inScalar = false;
          const key = this.string();
          if (this.isKey) this.enter(key);
          else if (this.isTooMany()) return this.next.tally.bounds;
          break;
        }
        case OPEN_ARRAY:
        case OPEN_OBJECT: {
          inScalar = false;
          if (this.isTooMany()) return this.next.tally.bounds;
          this.isKey = unit === OPEN_OBJECT;
          this.open.push({ ...this.next, isObject: this.isKey });
          this.next = { tally: this.next.tally, isOutermost: false };
          break;
        }
        case CLOSE_ARRAY:
        case CLOSE_OBJECT:
          inScalar = false;
          this.isKey = false;
          this.open.pop();
          break;
        case COMMA: {
          inScalar = false;
          const container = this.open.at(-1);
          this.isKey = container?.isObject === true;
          if (container !== undefined) this.next = { tally: container.tally, isOutermost: false };
          break;
        }
        case COLON:
          inScalar = false;
          this.isKey = false;
          break;
        default:
          // White space ends a scalar; any other character begins or continues one.
          if (unit <= 0x20) inScalar = false;
          else if (!inScalar) {
            inScalar = true;
            if (this.isTooMany()) return this.next.tally.bounds;
          }
      }
    }
    return undefined;
  }

  private isTooMany(): boolean {
    const { tally } = this.next;
    tally.left -= 1;
    return tally.left < 0;
  }

  private tallyOf(bounds: ValueBounds): Tally {
    const known = this.tallies.get(bounds);
    if (known !== undefined) return known;
    const tally = { bounds, left: bounds.most };
    this.tallies.set(bounds, tally);
    return tally;
  }

  /** A key has been read: its value may have bounds of its own. */
  private enter(raw: string | undefined): void {
    this.isKey = false;
    const within = raw === undefined ? undefined : this.open.at(-1)?.tally.bounds.within;
    if (within === undefined || raw === undefined) return;
    const key = keyOf(raw);
    const bounds = Object.hasOwn(within, key) ? within[key] : undefined;
    if (bounds !== undefined) this.next = { tally: this.tallyOf(bounds), isOutermost: true };
  }

  /** Moves to the end of a string. Returns it as written if it is a key that may have bounds. */
  private string(): string | undefined {
    const { text, at: start } = this;
    let end = text.indexOf('"', start + 1);
    while (end > 0 && isEscaped(text, end, start)) end = text.indexOf('"', end + 1);
    this.at = end < 0 ? text.length : end;
    const speaks = this.isKey && this.open.at(-1)?.isOutermost === true;
    return speaks ? text.slice(start, this.at + 1) : undefined;
  }
}

/** Whether an odd number of backslashes precedes a quote of a string that begins at `start`. */
function isEscaped(text: string, quote: number, start: number): boolean {
  let at = quote - 1;
  while (at > start && text.charCodeAt(at) === BACKSLASH) at -= 1;
  return (quote - at) % 2 === 0;
}

/** A key may be written with escapes. */
function keyOf(raw: string): string {
  try {
    return JSON.parse(raw) as string;
  } catch {
    return '';
  }
}
