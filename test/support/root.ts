import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root; tests run compiled, from `dist/test/support`. */
export const projectRoot = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
