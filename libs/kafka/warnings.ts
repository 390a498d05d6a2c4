let quiet = false;

/**
 * Keeps Node's `TimeoutNegativeWarning`, and no other warning, out of this thread's output: kafkajs 2.2.4 computes
 * waits that are over already (tulios/kafkajs #1751), and Node runs them at once, as meant.
 */
export function silenceNegativeTimeouts(): void {
  if (quiet) return;
  quiet = true;
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]) => {
    const [warning, second] = args;
    const name = warning instanceof Error ? warning.name : typeof second === 'string' ? second : typeOf(second);
    if (name !== 'TimeoutNegativeWarning') emitWarning(...args);
  };
}

function typeOf(options: unknown): unknown {
  return typeof options === 'object' && options !== null && 'type' in options ? options.type : undefined;
}
