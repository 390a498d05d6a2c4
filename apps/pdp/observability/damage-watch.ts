import { Counter, type Registry } from 'prom-client';
import type { DamagedPlace } from '../../../libs/event-log/port.js';

/** Positions that get a line of their own. The log of the service has to stay readable. */
const MAX_TOLD = 1_000;
/** Places in the answer of `/health/ready`. */
const MAX_SHOWN = 10;

export type DamageNotice = (place: DamagedPlace, isLast: boolean) => void;

/** The damaged events of the log that readers have met. It tells of each position once, up to a bound. */
export class DamageWatch {
  private readonly places = new Map<bigint, DamagedPlace>();
  private readonly counter: Counter;

  /** `onDamaged` gets each place once. After the last one that it gets, more are damaged. */
  constructor(
    registry: Registry,
    private readonly onDamaged: DamageNotice | undefined,
  ) {
    this.counter = new Counter({
      name: 'sallyport_evidence_damaged_total',
      help: `Damaged events of the log that were met, each position once, up to ${MAX_TOLD}.`,
      registers: [registry],
    });
  }

  /** A reader met a damaged event. */
  readonly found = (place: DamagedPlace): void => {
    if (this.places.has(place.position) || this.places.size >= MAX_TOLD) return;
    this.places.set(place.position, place);
    this.counter.inc();
    this.onDamaged?.(place, this.places.size === MAX_TOLD);
  };

  /** How many were met, and the first of them. Undefined if there is none. */
  get current(): { readonly events: number; readonly first: readonly ShownPlace[] } | undefined {
    if (this.places.size === 0) return undefined;
    return { events: this.places.size, first: [...this.places.values()].slice(0, MAX_SHOWN).map(shownPlace) };
  }
}

interface ShownPlace {
  readonly position: string;
  readonly stream: string;
  readonly revision: number;
}

const shownPlace = ({ position, stream, revision }: DamagedPlace): ShownPlace => ({
  position: String(position),
  stream,
  revision,
});
