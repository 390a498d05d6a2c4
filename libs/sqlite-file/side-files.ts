/** Endings of the files that SQLite keeps next to a database. Left behind, they are replayed over the next file of that name. */
export const SIDE_FILES = ['-wal', '-shm', '-journal'] as const;
