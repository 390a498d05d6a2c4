/**
 * Why a server could not be captured, in one line for a person. Text that came from the server is quoted in bounded
 * length and made printable where it is shown.
 */
export class CaptureFailure extends Error {
  override readonly name = 'CaptureFailure';

  constructor(
    readonly kind: 'usage' | 'gone' | 'silent' | 'flood' | 'garbage' | 'protocol' | 'refused' | 'unreachable',
    message: string,
  ) {
    super(message);
  }
}

/** Bounds on what an attacker-controlled server can make us read, keep and wait for. */
export const LIMITS = {
  /** Of one JSON-RPC message; a definition may have 4 MiB in a registration. */
  messageBytes: 8 * 1024 * 1024,
  /** Of everything that a server sends during one capture. */
  totalBytes: 32 * 1024 * 1024,
  messages: 10_000,
  /** Lines on stdout that are no JSON-RPC: a banner is a nuisance, more is garbage. */
  foreignLines: 50,
  /** The last part of stderr, for `--verbose`. */
  stderrBytes: 16 * 1024,
  jsonDepth: 64,
  /** How long a server may leave `server/discover` unanswered before `initialize` is sent too. */
  probeMs: 3000,
} as const;
