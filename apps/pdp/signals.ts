import { isatty } from 'node:tty';

/** The actions of the process on each signal. */
export interface SignalActions {
  /** SIGTERM and SIGINT; also SIGHUP, if the terminal of the process has gone. */
  stop(signal: NodeJS.Signals): void;
  /** SIGHUP. */
  reload(): void;
  /** A signal that means nothing here, when it arrives for the first time. */
  ignored(signal: NodeJS.Signals): void;
}

const STOPS = ['SIGTERM', 'SIGINT'] as const;
/** Their default would end the process without a drain, and SIGQUIT would write a core file. */
const IGNORED = ['SIGQUIT', 'SIGUSR2'] as const;

/** Before the service serves, there is nothing to finish. A start may be cut short anywhere, as by a crash. */
const AT_START: SignalActions = {
  stop: () => process.exit(0),
  // The start reads every file anyway, except for those that it has read already.
  reload: () => undefined,
  ignored: () => undefined,
};

/**
 * Installs the handlers of all signals. The answer replaces what they do; a reload that was asked for before is done
 * then. This module imports nothing of ours, so that it is in place before the rest is loaded.
 */
export function handleSignals(): (actions: SignalActions) => void {
  let current = AT_START;
  let askedEarly = false;
  const hadTerminal = isatty(0);
  const seen = new Set<NodeJS.Signals>();
  for (const signal of STOPS) process.on(signal, () => current.stop(signal));
  process.on('SIGHUP', () => {
    // A terminal that is closed hangs up all of its processes. Nobody could stop this one any longer.
    if (hadTerminal && !isatty(0)) return current.stop('SIGHUP');
    askedEarly ||= current === AT_START;
    current.reload();
  });
  for (const signal of IGNORED) {
    process.on(signal, () => {
      if (seen.has(signal)) return;
      seen.add(signal);
      current.ignored(signal);
    });
  }
  return (actions) => {
    current = actions;
    if (askedEarly) actions.reload();
  };
}
