/** Wakes its one waiter. A signal that nobody waits for is kept for the next `wait`. */
export class WakeSignal {
  private isSet = false;
  private resume: (() => void) | undefined;

  readonly wake = (): void => {
    this.isSet = true;
    this.resume?.();
  };

  /** Resolves with the next signal, after `limitMs` at the latest; without `limitMs` it waits for as long as it takes. */
  async wait(limitMs?: number): Promise<void> {
    if (!this.isSet) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.resume = resolve;
        if (limitMs !== undefined) timer = setTimeout(resolve, limitMs);
      });
      clearTimeout(timer);
      this.resume = undefined;
    }
    this.isSet = false;
  }
}
