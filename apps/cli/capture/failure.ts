/**
 * Why a server could not be captured, in one line for a person. Quotes of the server have a bounded length, and become
 * printable when they are shown.
 */
export class CaptureFailure extends Error {
  override readonly name = 'CaptureFailure';

  constructor(
    readonly kind: 'usage' | 'gone' | 'silent' | 'flood' | 'garbage' | 'protocol' | 'refused' | 'unreachable',
    message: string,
    /** The last lines on the server's stderr: attacker-controlled, and not yet printable. */
    readonly said: readonly string[] = [],
  ) {
    super(message);
  }

  /** The same failure with the command or the address that failed named first, unless it is named already. */
  ofTarget(name: string, stderr: string): CaptureFailure {
    const said = stderr.split('\n').filter((line) => line.trim() !== '');
    const message = this.message.includes(name) ? this.message : `${name}: ${this.message}`;
    return new CaptureFailure(this.kind, message, said.slice(-LIMITS.saidLines));
  }
}

const MAX_NAME_CHARS = 200;
const SECRET = /(token|secret|passw|key|credential|auth)/i;

/** A command as a person recognises it, without the values of options and addresses that look like secrets. */
export function commandName(command: readonly string[]): string {
  const words = command.map((word, at) => {
    const hides = SECRET.test(command[at - 1] ?? '') && /^--?\w/.test(command[at - 1] ?? '');
    if (hides && !(command[at - 1] ?? '').includes('=')) return '…';
    const shown = SECRET.test(word) ? word.replace(/(=|^[\w-]+: ).*/s, '$1…') : word;
    return shown.replace(/:\/\/[^/@\s]+@/, '://…@');
  });
  const line = words.join(' ');
  return line.length <= MAX_NAME_CHARS ? line : `${line.slice(0, MAX_NAME_CHARS)}…`;
}

/** Bounds on what an attacker-controlled server can make this process read, keep and wait for. */
export const LIMITS = {
  /** Of one JSON-RPC message; a definition may have 4 MiB in a registration. */
  messageBytes: 8 * 1024 * 1024,
  /** Of everything that a server sends during one capture. */
  totalBytes: 32 * 1024 * 1024,
  messages: 10_000,
  /** Lines on stdout that are not JSON-RPC. A short banner is tolerated; more is garbage. */
  foreignLines: 50,
  /** The last part of stderr, from which a failure quotes lines. */
  stderrBytes: 16 * 1024,
  /** Lines of stderr that a failure quotes. */
  saidLines: 8,
  jsonDepth: 64,
  /** How long a server may leave `server/discover` unanswered before `initialize` is sent too. */
  probeMs: 3000,
} as const;
