import { createInterface } from 'node:readline/promises';

/** A command's view of the process that it runs in. Tests pass their own. */
export interface World {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** The width of help texts, in characters: that of the terminal, or 80. */
  readonly columns?: number | undefined;
  /** One piece of output, newline included. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** All of stdin, at most `maxBytes`. */
  readonly readStdin: (maxBytes: number) => Promise<string>;
  /** Asks a person and resolves to the line that they answer. Absent if nobody reads the output at a terminal. */
  readonly ask?: (question: string) => Promise<string>;
}

/** Exit codes, documented in `sallyport --help`. */
export const EXIT = {
  done: 0,
  /** The command ran and the answer is no: a replay is not identical. */
  notIdentical: 1,
  /** A wrong option, an unreadable file, no token. */
  usage: 2,
  /** The service cannot be reached, or cannot answer now. */
  unavailable: 3,
  /** The service refused the request. */
  refused: 4,
  /** A call was denied, or a response was not accepted. */
  denied: 5,
  /** A server could not be captured. */
  captureFailed: 6,
  /** A disable is in force, and did not reach every instance within `--target-ms`. */
  late: 7,
  /** A disable is in force, and matches nothing that is registered or open now. */
  matchesNothing: 8,
  /** A bundle is sound as far as it goes: something was erased or left out, or a key or an engine is missing. */
  soundInPart: 8,
  /** The service cannot say whether it carried the command out. */
  outcomeUnknown: 9,
  /** A policy file has errors, or a case of a policy test failed. */
  policyFailed: 10,
  /** No decision of a replay differs, but this build of the service lacks an engine that some were made with. */
  engineGone: 11,
  /** A bundle could not be verified: the program failed. That says nothing about the bundle. */
  notVerified: 12,
} as const;

/** The command line is wrong. The message is one line for a person. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function processWorld(): World {
  const { stdin, stdout } = process;
  return {
    ...(stdin.isTTY && stdout.isTTY ? { ask } : {}),
    columns: stdout.columns,
    env: process.env,
    cwd: process.cwd(),
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    readStdin: async (maxBytes) => {
      const chunks: Buffer[] = [];
      let total = 0;
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
        total += chunk.length;
        if (total > maxBytes) throw new UsageError(`stdin holds over ${maxBytes} bytes`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    },
  };
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}
