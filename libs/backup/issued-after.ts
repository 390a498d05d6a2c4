import type { KeyObject } from 'node:crypto';
import { BeatContent, verifiedContent, type DirectiveView } from '../feed/beat.js';
import type { ReadRecord } from '../kafka/read-topic.js';

/** The point up to which a backup knows its log. */
export interface KnownUpTo {
  readonly incarnation: number;
  readonly epoch: number;
  readonly head: bigint;
}

/** The part of the directives topic that a backup lacks. */
export interface LaterDirectives {
  /** The last state of each directive that was issued or lifted after the backup, by id. */
  readonly directives: readonly DirectiveView[];
  /** The greatest epoch of the backup's incarnation that a host may have seen. */
  readonly epoch: number;
  /** The greatest incarnation that any record names: a new one has to be greater. */
  readonly incarnation: number;
}

/** Collects from the records of `sallyport.directives.v1` what a backup lacks. Records without our signature count for nothing. */
export class DirectivesAfter {
  private readonly last = new Map<string, BeatContent>();
  private epoch: number;
  private incarnation: number;

  constructor(
    private readonly known: KnownUpTo,
    private readonly keys: ReadonlyMap<string, KeyObject>,
  ) {
    this.epoch = known.epoch;
    this.incarnation = known.incarnation;
  }

  take({ value }: ReadRecord): void {
    const beat = beatIn(value, this.keys);
    if (beat === undefined) return;
    const { incarnation = 0, directive, epoch } = beat;
    this.incarnation = Math.max(this.incarnation, incarnation);
    // A service of before incarnations were named wrote 0.
    if (incarnation !== 0 && incarnation < this.known.incarnation) return;
    this.epoch = Math.max(this.epoch, epoch);
    if (directive === undefined || epoch <= this.known.epoch) return;
    // A service restates every active directive at its start, at the epoch of that time.
    const isLater = directive.state === 'lifted' || directive.epoch > this.known.epoch;
    if (isLater) this.last.set(directive.id, beat);
  }

  found(): LaterDirectives {
    const { epoch, incarnation } = this;
    return { directives: [...this.last.values()].flatMap(({ directive }) => directive ?? []), epoch, incarnation };
  }
}

/** Counts the events of the events topic that a backup lacks: by type, those after its last position. */
export class EventsAfter {
  private readonly ids = new Map<string, Set<string>>();

  constructor(
    private readonly known: KnownUpTo,
    /** `ce_source` of the backup's incarnation. */
    private readonly source: string,
  ) {}

  take({ headers }: ReadRecord): void {
    const { ce_source: source, ce_position: position = '', ce_type: type = '', ce_id: id = '' } = headers;
    if (source !== this.source || !/^\d{1,20}$/.test(position) || BigInt(position) <= this.known.head) return;
    // A record may come twice.
    const ids = this.ids.get(type) ?? new Set();
    this.ids.set(type, ids.add(id));
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.ids].sort().map(([type, ids]) => [type, ids.size]));
  }
}

function beatIn(value: string | null, keys: ReadonlyMap<string, KeyObject>): BeatContent | undefined {
  try {
    const raw: unknown = JSON.parse(value ?? '');
    if (typeof raw !== 'object' || raw === null) return undefined;
    return BeatContent.safeParse(verifiedContent({ ...raw }, keys)).data;
  } catch {
    return undefined;
  }
}
