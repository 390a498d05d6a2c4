interface Idle {
  readonly name: string;
  readonly end: () => void;
}

/**
 * Open streams that are idle. If a new stream finds no room, the stream that has been idle longest makes way. A client
 * may have abandoned its streams silently: `@grpc/grpc-js` does so for calls that it cancels before they begin. Nothing
 * on the wire tells them from streams that wait for their next message.
 */
export class Yielding {
  /** Longest idle first. */
  private readonly idle = new Map<object, Idle>();

  /** From now on, the stream may have to make way for another one. `end` gives its place back before it returns. */
  rest(stream: object, name: string, end: () => void): void {
    this.idle.delete(stream);
    this.idle.set(stream, { name, end });
  }

  /** The stream is busy, or has ended. */
  wake(stream: object): void {
    this.idle.delete(stream);
  }

  /** Ends the stream that has been idle longest, of `name` if given. False if there is none. */
  makeWay(name?: string): boolean {
    for (const [stream, idle] of this.idle) {
      if (name !== undefined && idle.name !== name) continue;
      this.idle.delete(stream);
      idle.end();
      return true;
    }
    return false;
  }
}
