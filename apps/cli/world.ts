import { createInterface } from 'node:readline/promises';

/** What a command needs of the process that it runs in; tests hand in their own. */
export interface World {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** One piece of output, newline included. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** All of stdin, at most `maxBytes`. */
  readonly readStdin: (maxBytes: number) => Promise<string>;
  /** Asks a person and gives the line that they answer; absent if no person reads the output at a terminal. */
  readonly ask?: (question: string) => Promise<string>;
}

/** Exit codes, documented in `sallyport --help`. */
export const EXIT = {
  done: 0,
  /** The command ran and the answer is no: a replay that is not identical. */
  notIdentical: 1,
  /** A wrong option, an unreadable file, no token. */
  usage: 2,
  /** The service cannot be reached, or is not able to answer now. */
  unavailable: 3,
  /** The service refused the request. */
  refused: 4,
  /** A call was denied, or a response was not accepted. */
  denied: 5,
  /** A server could not be captured. */
  captureFailed: 6,
  /** A disable stands, and is not known to have reached every instance in the time that was asked for. */
  late: 7,
  /** A disable stands, and matches nothing that is registered or open now. */
  matchesNothing: 8,
  /** The service cannot say whether it carried the command out. */
  outcomeUnknown: 9,
  /** A policy file has errors, or a case of a policy test failed. */
  policyFailed: 10,
} as const;

/** The command cannot go on because of how it was called. The message is one line for a person. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function processWorld(): World {
  const { stdin, stdout } = process;
  return {
    ...(stdin.isTTY && stdout.isTTY ? { ask } : {}),
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
