/** A share with its interval. */
export interface Share {
  readonly hits: number;
  readonly of: number;
  /** Bounds of the Wilson score interval at 95 %. Both are 0 to 1; without observations they are 0 and 1. */
  readonly low: number;
  readonly high: number;
}

const Z = 1.959964;

/** E. B. Wilson, JASA 22 (1927): the interval of a binomial share, which is right for few observations and near 0 and 1. */
export function wilson(hits: number, of: number): Share {
  if (of === 0) return { hits, of, low: 0, high: 1 };
  const share = hits / of;
  const scale = 1 + Z ** 2 / of;
  const centre = share + Z ** 2 / (2 * of);
  const margin = Z * Math.sqrt((share * (1 - share)) / of + Z ** 2 / (4 * of ** 2));
  return { hits, of, low: Math.max(0, (centre - margin) / scale), high: Math.min(1, (centre + margin) / scale) };
}

/** `0.987 [0.951, 0.997] 78/79` */
export function written({ hits, of, low, high }: Share): string {
  if (of === 0) return '-';
  return `${(hits / of).toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] ${hits}/${of}`;
}
