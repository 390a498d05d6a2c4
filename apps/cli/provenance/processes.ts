import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A running process as the kernel describes it (Linux, proc(5)). */
export interface RunningProcess {
  /** The words that it was started with. A program may have overwritten them with a title. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The file of its program, with all links followed. */
  readonly program: string;
  /** The environment that it was started with. */
  readonly env: Readonly<Record<string, string>>;
}

const MAX_CHAIN = 16;

/**
 * A process and its descendants that hold the same standard input and output, outermost first. A launcher (npx, uvx, a
 * shell) hands both to the server that it starts. The chain ends if no child or more than one child holds them. It is
 * empty if the system has no /proc.
 */
export function processChain(pid: number): readonly RunningProcess[] {
  try {
    const streams = streamsOf(pid);
    const children = childrenByParent();
    const chain: RunningProcess[] = [];
    for (let at: number | undefined = pid; at !== undefined && chain.length < MAX_CHAIN;) {
      const [cwd, program] = [readlinkSync(`/proc/${at}/cwd`), readlinkSync(`/proc/${at}/exe`)];
      chain.push({ argv: textsIn(`/proc/${at}/cmdline`), cwd, program, env: environmentIn(`/proc/${at}/environ`) });
      const heirs: number[] = (children.get(at) ?? []).filter((child) => hasStreams(child, streams));
      at = heirs.length === 1 ? heirs[0] : undefined;
    }
    return chain;
  } catch {
    return [];
  }
}

function textsIn(file: string): string[] {
  return readFileSync(file, 'utf8').replace(/\0$/, '').split('\0');
}

function environmentIn(file: string): Record<string, string> {
  const variables = textsIn(file).map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]);
  return Object.fromEntries(variables) as Record<string, string>;
}

function streamsOf(pid: number): readonly string[] {
  return [0, 1].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
}

/**
 * Whether a process holds the streams under any number. Some servers move their streams, so that nothing else writes to
 * them.
 */
function hasStreams(pid: number, streams: readonly string[]): boolean {
  const held = new Set(entriesOf(`/proc/${pid}/fd`).map((fd) => linkAt(`/proc/${pid}/fd/${fd}`)));
  return streams.every((stream) => held.has(stream));
}

/** Empty if the process ended meanwhile, or belongs to another user. */
function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const parent = Number.isInteger(pid) ? parentOf(pid) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  return children;
}

function parentOf(pid: number): number | undefined {
  try {
    // `pid (name) state ppid …`: the name may itself hold spaces and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
