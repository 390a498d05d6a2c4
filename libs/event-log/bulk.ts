/**
 * The categories that hold nearly all events of a log: they grow with every call, and all others with what people do. A
 * store may index the others apart, so that what decisions rest on loads in a second from among a million events. It is
 * part of the SQLite file: a change here is a new version of that schema.
 */
export const BULK_CATEGORIES = ['calls', 'refusals'] as const;
