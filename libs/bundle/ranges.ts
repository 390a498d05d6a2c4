import { splitOf } from '../transparency/tree.js';

/** Leaves of the log from `from` to before `to`, which are the leaves of one node of its tree. */
export type Range = readonly [from: number, to: number];

/**
 * The siblings on the path of a leaf, from the leaf upwards, in the order of an inclusion proof (RFC 9162, 2.1.3.1). So
 * proofs of neighbours share most of their nodes.
 */
export function siblingRanges(index: number, size: number): Range[] {
  const path: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      path.push([middle, to]);
      to = middle;
    } else {
      path.push([from, middle]);
      from = middle;
    }
  }
  return path.reverse();
}

/** The name of a node in a bundle. */
export const nodeName = ([from, to]: Range): string => `${from}-${to}`;
