/** As `after` of a read: from this position on. Positions are whole numbers; their distances say nothing. */
export const justBefore = (position: bigint): bigint => position - 1n;
