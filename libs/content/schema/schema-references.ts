import { ownValue, type JsonObject } from '../../kernel/canonical-json.js';
import type { JsonPointer } from '../../kernel/pointer.js';
import type { Applicator } from './schema-keywords.js';

const MAX_EXPANSION = 10_000;
const MAX_EXPANDED_DEPTH = 128;

/** Why a schema cannot be vetted. The message is ours and quotes nothing. */
export interface SchemaFault {
  readonly path: JsonPointer;
  readonly message: string;
}

/** One schema of the document, with the schemas it applies. */
export interface SchemaNode {
  readonly path: JsonPointer;
  readonly schema: boolean | JsonObject;
  readonly children: SchemaChild[];
  /** The target of its `$ref`. */
  target?: SchemaNode;
}

export interface SchemaChild {
  readonly keyword: string;
  /** The name or index under the keyword; absent if the keyword holds one schema. */
  readonly key?: string | number;
  readonly applies: Applicator['applies'];
  readonly node: SchemaNode;
}

/** Finds the schema that each `$ref` leads to. Only references within the document, to places that hold a schema. */
export function linkReferences(
  nodes: ReadonlyMap<JsonPointer, SchemaNode>,
  anchors: ReadonlyMap<string, SchemaNode>,
): SchemaFault | undefined {
  for (const node of nodes.values()) {
    const reference = typeof node.schema === 'boolean' ? undefined : ownValue(node.schema, '$ref');
    if (reference === undefined) continue;
    const path = `${node.path}/$ref`;
    if (typeof reference !== 'string' || !reference.startsWith('#')) {
      return { path, message: 'a reference out of the document' };
    }
    const fragment = decodeFragment(reference.slice(1));
    const target = fragment === '' || fragment?.startsWith('/') ? nodes.get(fragment) : anchors.get(fragment ?? '');
    if (target === undefined) return { path, message: 'a reference to a place that holds no schema' };
    node.target = target;
  }
  return undefined;
}

/** The JSON Pointer of a URI fragment (RFC 6901, section 6), spelled as `pointerTo` spells it. */
function decodeFragment(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}

const isApplied = (child: SchemaChild): boolean => child.applies !== 'never';

/** Finds a circle of schemas that all apply to the same value. */
export function circleFault(nodes: Iterable<SchemaNode>): SchemaFault | undefined {
  const done = new Set<SchemaNode>();
  const open = new Set<SchemaNode>();
  const visit = (node: SchemaNode): SchemaFault | undefined => {
    if (open.has(node)) return { path: node.path, message: 'a circle of references that never ends' };
    if (done.has(node)) return undefined;
    open.add(node);
    for (const child of node.children) {
      const fault = child.applies === 'in-place' ? visit(child.node) : undefined;
      if (fault !== undefined) return fault;
    }
    const fault = node.target === undefined ? undefined : visit(node.target);
    open.delete(node);
    done.add(node);
    return fault;
  };
  for (const node of nodes) {
    const fault = visit(node);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Unrolls every reference as a tree, up to the bounds; a recursion is cut where it returns to itself. */
export function expansionFault(root: SchemaNode): SchemaFault | undefined {
  const open = new Set<SchemaNode>();
  let left = MAX_EXPANSION;
  const visit = (node: SchemaNode, depth: number): SchemaFault | undefined => {
    left -= 1;
    if (left < 0) return { path: node.path, message: `references unroll to more than ${MAX_EXPANSION} schemas` };
    if (depth > MAX_EXPANDED_DEPTH) return { path: node.path, message: 'references unroll too deep' };
    if (open.has(node)) return undefined;
    open.add(node);
    const applied = node.children.filter(isApplied).map((child) => child.node);
    if (node.target !== undefined) applied.push(node.target);
    for (const next of applied) {
      const fault = visit(next, depth + 1);
      if (fault !== undefined) return fault;
    }
    open.delete(node);
    return undefined;
  };
  return visit(root, 0);
}
