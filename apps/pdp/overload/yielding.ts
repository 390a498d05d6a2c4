interface Idle {
  readonly name: string;
  readonly end: () => void;
}

/**
 * Open streams that nothing is under way on. If there is no room for another one, the one that has been idle for longest
 * makes way: a client may have given its streams up without a word (`@grpc/grpc-js` does so for calls that it cancels
 * before they have begun), and nothing on the wire tells them from streams that wait for their next message.
 */
export class Yielding {
  /** The longest idle first. */
  private readonly idle = new Map<object, Idle>();

  /** From now on the stream makes way for another one if it has to. `end` gives its place back before it returns. */
  rest(stream: object, name: string, end: () => void): void {
    this.idle.delete(stream);
    this.idle.set(stream, { name, end });
  }

  /** Something is under way on the stream, or it has ended. */
  wake(stream: object): void {
    this.idle.delete(stream);
  }

  /** Ends the longest idle stream, of a name if one is given. False if there is none. */
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
