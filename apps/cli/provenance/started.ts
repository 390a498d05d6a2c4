import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, resolve, sep } from 'node:path';
import { defined } from '../../../libs/kernel/defined.js';
import type { Place } from './evidence.js';
import { INTERPRETERS, LAUNCHERS, SHELLS, type Family } from './programs.js';

/** The program that reads a script, with its options before the script. */
export interface Interpreter {
  readonly family: Family;
  /** The program's path as called. It identifies a virtual environment of Python, so links are not followed. */
  readonly program: string;
  readonly options: readonly string[];
}

/** The target of a command line. Files are real paths. */
export type Started =
  | { readonly kind: 'program'; readonly file: string; readonly args: readonly string[] }
  | { readonly kind: 'script'; readonly file: string; readonly by: Interpreter; readonly args: readonly string[] }
  | { readonly kind: 'module'; readonly name: string; readonly by: Interpreter; readonly args: readonly string[] }
  | { readonly kind: 'container'; readonly engine: string; readonly args: readonly string[] }
  /** Only its processes, and npx's own folders, show what it starts. */
  | { readonly kind: 'launcher'; readonly why: string; readonly npx?: readonly string[] }
  | { readonly kind: 'unclear'; readonly why: string };

/** The target of a command line, and the place where it runs: `env` changes the environment on the way. */
export interface Start {
  readonly started: Started;
  readonly place: Place;
}

const SHELL_NAMES = /^(sh|bash|dash|zsh|ksh)$/;
const CONTAINER_ENGINES = new Set(['docker', 'podman', 'nerdctl']);
const MAX_DEPTH = 8;

/**
 * Reads a command line as the system does, shebangs included. It parses no shell code: the processes show what a shell
 * starts.
 */
export function startedBy(command: readonly string[], place: Place, depth = 0): Start {
  const [word = '', ...args] = command;
  const here = (started: Started): Start => ({ started, place });
  const name = basename(word)
    .toLowerCase()
    .replace(/\.(exe|cmd|bat|ps1)$/, '');
  if (CONTAINER_ENGINES.has(name)) return here({ kind: 'container', engine: word, args });
  const wrapped = wrappedBy(name, args, place);
  if (wrapped !== undefined && depth < MAX_DEPTH) return startedBy(wrapped.command, wrapped.place, depth + 1);
  if (LAUNCHERS.has(name)) {
    const why = `${name} starts the server, and its process was not seen`;
    return here(defined({ kind: 'launcher', why, npx: name === 'npx' ? args : undefined }));
  }
  const program = onPath(word, place);
  if (program === undefined) return here({ kind: 'launcher', why: 'the program of the process cannot be found' });
  const shebang = shebangOf(program);
  const family = INTERPRETERS.find(({ names }) => names.test(name));
  // A script that is named like an interpreter starts the interpreter, as the shims of pyenv do.
  if (family !== undefined && shebang === undefined) return here(interpreted(family, program, args, place));
  if (shebang === undefined) return here({ kind: 'program', file: program.real, args });
  if (depth >= MAX_DEPTH) return here({ kind: 'unclear', why: 'its scripts name one another as interpreters' });
  return startedBy([...shebang, program.path, ...args], place, depth + 1);
}

interface Wrapped {
  readonly command: readonly string[];
  readonly place: Place;
}

/**
 * The plain command behind `env`, `cmd /c` or the `-c` of a shell, and the place where it runs. A login shell reads
 * profiles, which may set any variable, so it stays a launcher.
 */
function wrappedBy(name: string, args: readonly string[], place: Place): Wrapped | undefined {
  if (name === 'env') return wrappedByEnv(args, place);
  if (name === 'cmd') {
    const at = args.findIndex((arg) => /^\/c$/i.test(arg));
    return at < 0 ? undefined : { command: args.slice(at + 1), place };
  }
  const [option = '', text = ''] = args;
  const plain = SHELL_NAMES.test(name) && option === '-c' && /^[\w@%+:,./ -]+$/.test(text);
  const line = text.trim().replace(/^exec +/, '');
  return plain ? { command: line.split(/ +/), place } : undefined;
}

/** POSIX `env`: each word with `=` before the command is an assignment. Only processes show what its options do. */
function wrappedByEnv(args: readonly string[], { cwd, env }: Place): Wrapped | undefined {
  const at = args.findIndex((arg) => !arg.includes('='));
  if (at < 0 || args.slice(0, at + 1).some((arg) => arg.startsWith('-'))) return undefined;
  const assigned = args.slice(0, at).map((arg) => {
    const equals = arg.indexOf('=');
    return [arg.slice(0, equals), arg.slice(equals + 1)] as const;
  });
  return { command: args.slice(at), place: { cwd, env: { ...env, ...Object.fromEntries(assigned) } } };
}

interface Found {
  /** The path as called. */
  readonly path: string;
  /** The path with all links followed. */
  readonly real: string;
}

/** The file that a command's first word means, with all links followed. */
export function programOf(command: readonly string[], place: Place): string | undefined {
  return onPath(command[0] ?? '', place)?.real;
}

function onPath(word: string, { cwd, env }: Place): Found | undefined {
  if (word === '') return undefined;
  if (word.includes('/') || word.includes(sep)) return fileAt(resolve(cwd, word));
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const found = folder === '' ? undefined : fileAt(resolve(cwd, folder, word));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The file that a word of a command line names, with all links followed. */
export function fileNamed(word: string, { cwd }: Place): string | undefined {
  return fileAt(resolve(cwd, word))?.real;
}

function fileAt(path: string): Found | undefined {
  try {
    return statSync(path).isFile() ? { path, real: realpathSync(path) } : undefined;
  } catch {
    return undefined;
  }
}

const MAX_SHEBANG_BYTES = 512;

/** The words of a script's first line after `#!`, without `/usr/bin/env` and its `-S`; undefined for anything else. */
function shebangOf({ real }: Found): readonly string[] | undefined {
  const file = openSync(real, 'r');
  try {
    const bytes = Buffer.alloc(MAX_SHEBANG_BYTES);
    const text = bytes.toString('latin1', 0, readSync(file, bytes));
    if (!text.startsWith('#!')) return undefined;
    const words = (text.slice(2).split('\n', 1)[0] ?? '').trim().split(/\s+/);
    if (basename(words[0] ?? '') !== 'env') return words;
    return words.slice(words[1] === '-S' ? 2 : 1);
  } finally {
    closeSync(file);
  }
}

/** The target of an interpreter: a file, a module, or nothing that has a file. */
function interpreted(
  family: (typeof INTERPRETERS)[number],
  program: Found,
  args: readonly string[],
  place: Place,
): Started {
  const by = (options: readonly string[]): Interpreter => ({ family: family.family, program: program.path, options });
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    const next = args[at + 1];
    const options = args.slice(0, at);
    if (family.inline.test(arg)) return whyNot(family.family, 'the code of the server stands in the command line');
    if (family.module !== undefined && arg === family.module && next !== undefined) {
      return { kind: 'module', name: next, by: by(options), args: args.slice(at + 2) };
    }
    if (arg === '--' || (family.file !== undefined && arg === family.file) || family.words.has(arg)) continue;
    if (family.valued.has(arg)) at += 1;
    else if (!arg.startsWith('-')) {
      const file = fileAt(resolve(place.cwd, arg));
      if (file === undefined) return whyNot(family.family, 'the command names no file that can be read');
      return { kind: 'script', file: file.real, by: by(options), args: args.slice(at + 1) };
    }
  }
  return whyNot(family.family, 'the command names no file');
}

function whyNot(family: Family, why: string): Started {
  return SHELLS.has(family) ? { kind: 'launcher', why: `a shell starts the server: ${why}` } : { kind: 'unclear', why };
}
