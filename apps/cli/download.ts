import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { boundedText, whyNoAnswer } from '../../libs/kernel/http-answer.js';
import { parse, problemOf, ServiceUnreachable, type ClientOptions } from './client.js';
import { nextStep } from './no-answer.js';
import { UsageError } from './world.js';

/** A file from the service. */
export interface Downloaded {
  readonly bytes: number;
  readonly headers: Headers;
}

/** A bundle may have hundreds of megabytes. */
const DOWNLOAD_MS = 600_000;
const MAX_PROBLEM_BYTES = 1_048_576;

/**
 * Writes the answer of a GET to a file, whole or not at all. Only its owner may read it: it may hold content. Throws
 * `ServiceProblem`, `ServiceUnreachable`, and `UsageError` if the file cannot be written.
 */
export async function download({ server, token }: ClientOptions, path: string, file: string): Promise<Downloaded> {
  const part = `${file}.part`;
  const descriptor = onDisk(() => openSync(part, 'w', 0o600));
  try {
    const downloaded = await copied({ server, token }, path, descriptor);
    onDisk(() => renameSync(part, file));
    return downloaded;
  } finally {
    closeSync(descriptor);
    rmSync(part, { force: true });
  }
}

async function copied({ server, token }: ClientOptions, path: string, descriptor: number): Promise<Downloaded> {
  try {
    const answer = await fetch(`${server.href.replace(/\/+$/, '')}${path}`, {
      redirect: 'error',
      signal: AbortSignal.timeout(DOWNLOAD_MS),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    if (!answer.ok) throw problemOf(answer.status, parse(await boundedText(answer, MAX_PROBLEM_BYTES)));
    let bytes = 0;
    for await (const chunk of answer.body ?? []) {
      for (let at = 0; at < chunk.length;) at += onDisk(() => writeSync(descriptor, chunk, at));
      bytes += chunk.length;
    }
    return { bytes, headers: answer.headers };
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof DOMException)) throw error;
    const why = whyNoAnswer(error);
    throw new ServiceUnreachable(`no whole answer from ${server.origin}: ${why}`, nextStep(server, why));
  }
}

function onDisk<Done>(write: () => Done): Done {
  try {
    return write();
  } catch (error) {
    throw new UsageError(`--out cannot be written: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
}
