import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
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

const FIRST_START = 'system:first-start';
const localName = (role: Role): string => `local-${role}`;

/** New tokens and the digests of them, by role. */
type NewTokens = ReadonlyMap<Role, ReturnType<typeof newToken>>;

/**
 * On the first start: creates one principal per role, and a file with their tokens that only the owner can read. The
 * tokens are safe in a draft before the principals exist. The draft gets its final name afterwards, so a crash in
 * between locks nobody out. Returns the file; undefined if nothing was created. An earlier data folder gets the principals
 * of newer roles.
 */
export async function makeFirstPrincipals(plane: ControlPlane, dataDir: string): Promise<string | undefined> {
  const file = join(dataDir, 'tokens.json');
  const draft = `${file}.new`;
  if (plane.view.principals().length > 0) {
    if (!existsSync(draft)) return addMissing(plane, file);
    publish(draft, file);
    return file;
  }
  if (existsSync(file)) {
    throw new FirstStartError(`${file} belongs to another event log: move it away, then start again`);
  }
  const tokens = tokensFor(Role.options);
  writeDraft(draft, tokenText({}, tokens));
  await add(plane, tokens);
  publish(draft, file);
  return file;
}

/**
 * Creates the principals of roles that are newer than the data folder, and adds their tokens to the file. If the operator
 * has moved the file, it holds these tokens alone. Nothing is added if one of the first principals was removed.
 */
async function addMissing(plane: ControlPlane, file: string): Promise<string | undefined> {
  const draft = `${file}.added`;
  const first = Role.options.map((role) => plane.view.principal(localName(role)).state);
  const missing = Role.options.filter((_, index) => first[index] === undefined);
  if (missing.length === 0) {
    if (!existsSync(draft)) return undefined;
    // A crash came after the principals were created.
    renameSync(draft, file);
    return file;
  }
  const isOwn = first.some((each) => each?.added.by === FIRST_START) && first.every((each) => each?.removed !== true);
  const known = isOwn ? tokensIn(file) : undefined;
  if (known === undefined) return undefined;
  const tokens = tokensFor(missing);
  writeDraft(draft, tokenText(known, tokens));
  await add(plane, tokens);
  renameSync(draft, file);
  return file;
}

const tokensFor = (roles: readonly Role[]): NewTokens => new Map(roles.map((role) => [role, newToken()]));

const tokenText = (known: object, tokens: NewTokens): string =>
  JSON.stringify({ ...known, ...Object.fromEntries([...tokens].map(([role, { token }]) => [role, token])) }, null, 2);

/** The members of a file of tokens, none if there is no file. Undefined if it is something else, which is left alone. */
function tokensIn(file: string): object | undefined {
  if (!existsSync(file)) return {};
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

async function add(plane: ControlPlane, tokens: NewTokens): Promise<void> {
  unwrap(
    await plane.run({ name: FIRST_START }, (time) => {
      const writes = [...tokens].map(([role, { tokenDigest }]) => {
        const name = localName(role);
        // A human who is nobody's user can still approve what needs somebody else.
        const user = role === 'approver' ? { user: name } : {};
        const principal = { name, roles: [role], tokenDigest, ...user };
        const added = principalDecider.decide({ type: 'add', principal, actor: FIRST_START, time }, undefined);
        return writeOf(`principal-${name}`, 0, unwrap(added));
      });
      return ok({ writes });
    }),
  );
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
