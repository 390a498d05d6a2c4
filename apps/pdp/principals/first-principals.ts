import { linkSync, openSync, closeSync, writeSync, fsyncSync, existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ControlPlane } from '../../../libs/control/control-plane.js';
import { writeOf } from '../../../libs/streams/facts.js';
import { ok } from '../../../libs/kernel/result.js';
import { principalDecider } from '../../../libs/principal/decider.js';
import { Role } from '../../../libs/vocabulary/words.js';
import { unwrap } from '../edge/problem.js';
import { newToken } from './token.js';

/** The first start cannot hand out its tokens. The message is one line for an operator. */
export class FirstStartError extends Error {
  override readonly name = 'FirstStartError';
}

/**
 * On the first start: creates one principal per role, and a file with their tokens that only the owner can read. The
 * tokens are safe in a draft before the principals exist. The draft gets its final name afterwards, so a crash in
 * between locks nobody out. Returns the file; undefined if there were principals already.
 */
export async function makeFirstPrincipals(plane: ControlPlane, dataDir: string): Promise<string | undefined> {
  const file = join(dataDir, 'tokens.json');
  const draft = `${file}.new`;
  if (plane.view.principals().length > 0) {
    if (!existsSync(draft)) return undefined;
    publish(draft, file);
    return file;
  }
  if (existsSync(file)) {
    throw new FirstStartError(`${file} belongs to another event log: move it away, then start again`);
  }
  const tokens = new Map(Role.options.map((role) => [role, newToken()]));
  writeDraft(draft, JSON.stringify(Object.fromEntries([...tokens].map(([role, { token }]) => [role, token])), null, 2));
  unwrap(
    await plane.run({ name: 'system:first-start' }, (time) => {
      const writes = [...tokens].map(([role, { tokenDigest }]) => {
        const name = `local-${role}`;
        // A human who is nobody's user can still approve what needs somebody else.
        const user = role === 'approver' ? { user: name } : {};
        const principal = { name, roles: [role], tokenDigest, ...user };
        const added = principalDecider.decide({ type: 'add', principal, actor: 'system:first-start', time }, undefined);
        return writeOf(`principal-local-${role}`, 0, unwrap(added));
      });
      return ok({ writes });
    }),
  );
  publish(draft, file);
  return file;
}

function writeDraft(draft: string, text: string): void {
  if (existsSync(draft)) unlinkSync(draft);
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, `${text}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A link fails if the name is taken, so an existing file is never replaced. */
function publish(draft: string, file: string): void {
  if (!existsSync(file)) linkSync(draft, file);
  unlinkSync(draft);
}
