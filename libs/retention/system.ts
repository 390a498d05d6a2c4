import type { Caller } from '../control/caller.js';

/** The actor of what the service erases by itself. */
export const SYSTEM: Caller = { name: 'system:retention' };
