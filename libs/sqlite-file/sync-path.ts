import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Makes durable what any process has written to a file or folder. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
