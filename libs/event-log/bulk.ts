import { categoryOf } from './event.js';

/**
 * The categories that hold nearly all events of a log: they grow with every call, and all others with what people do. A
 * store may index the others apart, so that what decisions rest on loads in a second from among a million events. It is
 * part of the SQLite file: a change here is a new version of that schema.
 */
export const BULK_CATEGORIES = ['calls', 'refusals'] as const;

/**
 * The categories that nothing is decided by. The head of their streams is the revision of the last row, even if its text is
 * damaged: otherwise one damaged record would end all further records of the same reader or host.
 */
const UNDECIDED_CATEGORIES: ReadonlySet<string> = new Set(['reads', 'instances']);

/** Whether nothing is decided by a stream. */
export const isUndecided = (stream: string): boolean => UNDECIDED_CATEGORIES.has(categoryOf(stream));
