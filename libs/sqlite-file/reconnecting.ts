import { closeQuietly } from './open-file.js';

export interface ReconnectingOptions<Connection> {
  readonly open: () => Connection;
  /** Opens each connection after the first; `open` if not given. */
  readonly reopen?: () => Connection;
  /** Whether to reopen right after a failure, and not only for the next action. */
  readonly atOnce?: boolean;
  /** Errors after which the connection is kept: they are about the data, not about the file. */
  readonly keepsAfter?: (error: unknown) => boolean;
}

/**
 * A connection that is closed if an action on it fails, and opened again. After an I/O error a connection may see the
 * file differently from what it holds.
 */
export class Reconnecting<Connection extends { close(): void }> {
  private connection: Connection | undefined;

  /** Opens the first connection. Throws what `open` throws. */
  constructor(private readonly options: ReconnectingOptions<Connection>) {
    this.connection = options.open();
  }

  /** Throws what the action throws, and what opening throws if a connection has to be opened first. */
  use<Value>(action: (connection: Connection) => Value): Value {
    const connection = (this.connection ??= this.reopen());
    try {
      return action(connection);
    } catch (error) {
      if (this.options.keepsAfter?.(error) !== true) this.dropAfterFailure();
      throw error;
    }
  }

  close(): void {
    closeQuietly(this.connection);
    this.connection = undefined;
  }

  private dropAfterFailure(): void {
    this.close();
    if (this.options.atOnce !== true) return;
    try {
      this.connection = this.reopen();
    } catch {
      // The next action tries again.
    }
  }

  private reopen(): Connection {
    return (this.options.reopen ?? this.options.open)();
  }
}
