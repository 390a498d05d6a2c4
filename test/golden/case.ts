import type { JsonObject } from '../../libs/kernel/canonical-json.js';
import { namesIn, readYaml, stem } from './files.js';

/** A step of a world: what one role does over HTTP before the call. `by` names a principal other than the usual one. */
export type Step =
  | { readonly use: string }
  | { readonly register: { readonly capability: string; readonly change?: Changes } }
  | { readonly propose: { readonly capability: string; readonly change: Changes } }
  | {
      readonly review: {
        readonly capability: string;
        readonly version: string;
        readonly verdict?: string;
        readonly exceptions?: readonly string[];
      };
    }
  | {
      readonly amend: {
        readonly capability: string;
        readonly version: string;
        readonly add?: readonly string[];
        readonly remove?: readonly string[];
      };
    }
  | { readonly suspend: VersionStop }
  | { readonly revoke: VersionStop }
  | { readonly reinstate: { readonly capability: string; readonly version: string } }
  | {
      readonly observe: {
        readonly capability: string;
        readonly version: string;
        readonly definition: string;
        readonly by?: string;
      };
    }
  | { readonly policy: string }
  | {
      readonly publisher: {
        readonly id: string;
        readonly keyId: string;
        readonly publicKey: string;
        readonly expiresInMs?: number;
      };
    }
  | { readonly revokeKey: { readonly publisher: string; readonly keyId: string } }
  | { readonly publishers: { readonly capability: string; readonly publishers: readonly string[] } }
  | { readonly principal: JsonObject & { readonly name: string } }
  | { readonly directive: { readonly as?: string; readonly target: JsonObject } }
  | { readonly lift: string }
  | { readonly task: JsonObject & { readonly as?: string; readonly by?: string } }
  | { readonly close: { readonly task: string } }
  | { readonly call: JsonObject }
  /** A call that needs an approval, and the verdict of the approver. */
  | { readonly approval: { readonly call: JsonObject; readonly verdict: 'granted' | 'denied' } }
  /** Milliseconds that the service's clock is put forward by. */
  | { readonly wait: number };

/** Replacements for parts of a block, by JSON Pointer. */
export type Changes = Readonly<Record<string, unknown>>;

interface VersionStop {
  readonly capability: string;
  readonly version: string;
  readonly by: 'reviewer' | 'operator';
}

/** An event as the cases write it: without what follows from the rest (revision, id, time, trace). */
export interface ExpectedEvent {
  readonly event: string;
  readonly stream: string;
  readonly data: JsonObject;
}

export interface Case {
  readonly description: string;
  readonly world: readonly Step[];
  /** The host that asks, where it is not the usual one. */
  readonly by?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly request: JsonObject;
  readonly answer: JsonObject & { readonly reason: string };
  readonly recorded: ExpectedEvent;
  /** The other events of the batch, in order. Absent if there are none. */
  readonly events?: readonly ExpectedEvent[];
}

/** The building blocks of `_world.yaml`. */
export interface Blocks {
  readonly definitions: Readonly<Record<string, JsonObject>>;
  readonly capabilities: Readonly<Record<string, JsonObject>>;
  readonly policies: Readonly<Record<string, string>>;
  readonly worlds: Readonly<Record<string, readonly Step[]>>;
  readonly digests: Readonly<Record<string, string>>;
}

export const BLOCKS_FILE = '_world.yaml';

export const readBlocks = (): Blocks => readYaml<Blocks>('decisions', BLOCKS_FILE);

/** Every case by its name, which is its file's. */
export function readCases(): Map<string, Case> {
  const names = namesIn('decisions').filter((name) => name !== BLOCKS_FILE);
  return new Map(names.map((name) => [stem(name), readYaml<Case>('decisions', name)]));
}

/** A block by its name. Throws where there is none. */
export function blockOf<Block>(blocks: Readonly<Record<string, Block>>, name: string): Block {
  const block = Object.hasOwn(blocks, name) ? blocks[name] : undefined;
  if (block === undefined) throw new Error(`no block ${JSON.stringify(name)} in ${BLOCKS_FILE}`);
  return block;
}

/** The steps of a world with those of the worlds that it uses in their place. */
export function expandSteps(steps: readonly Step[], blocks: Blocks): Step[] {
  return steps.flatMap((step) => ('use' in step ? expandSteps(blockOf(blocks.worlds, step.use), blocks) : [step]));
}
