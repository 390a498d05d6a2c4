/** What a host receives from a directive feed. Nothing is verified yet: the wire is attacker-controlled. */
export interface FeedListener {
  /** One beat, as it was received. */
  onBeat(beat: Readonly<Record<string, unknown>>): void;
  /**
   * The last beat of each key of a log that was read to its end, in the order of the log. A host that has no state yet
   * builds it from these.
   */
  onLoaded(beats: readonly Readonly<Record<string, unknown>>[]): void;
  /** The feed was interrupted and reconnects. The text is for operators and holds no secret. */
  onInterrupted(reason: string): void;
}

export interface FeedSubscription {
  /** After this call the listener is not called again. */
  close(): Promise<void>;
}

/**
 * A directive feed as hosts follow it. It resubscribes by itself until it is closed: silence ends a host's lease, never an
 * error of the transport.
 */
export interface DirectiveFeed {
  readonly name: 'watch' | 'kafka';
  /** `sinceEpoch` returns the epoch that the host has, undefined if it has none; it is called at each resubscription. */
  follow(sinceEpoch: () => number | undefined, listener: FeedListener): FeedSubscription;
}
