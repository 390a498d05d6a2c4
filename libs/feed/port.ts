/** What a host hears from a directive feed. Nothing of it has been verified: the wire is attacker-controlled. */
export interface FeedListener {
  /** One beat, as it was received. */
  onBeat(beat: Readonly<Record<string, unknown>>): void;
  /**
   * The last beat of each key of a log that was read to its end, in the order in which they stood there: a host that has
   * no state yet makes it of these.
   */
  onLoaded(beats: readonly Readonly<Record<string, unknown>>[]): void;
  /** The feed was interrupted, and is being taken up again; the text is for operators and holds no secret. */
  onInterrupted(reason: string): void;
}

export interface FeedSubscription {
  /** Nothing is handed over after this is called. */
  close(): Promise<void>;
}

/**
 * A directive feed as hosts follow it. It resubscribes by itself, for as long as it is not closed: what ends a host's
 * lease is silence, never an error of the transport.
 */
export interface DirectiveFeed {
  readonly name: 'watch' | 'kafka';
  /** `sinceEpoch`: what the host has already, asked again at each resubscription; undefined where it has nothing. */
  follow(sinceEpoch: () => number | undefined, listener: FeedListener): FeedSubscription;
}
