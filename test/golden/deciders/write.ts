import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOLDEN } from '../files.js';
import { CASES, goldenOf } from './cases.js';

/** `node dist/test/golden/deciders/write.js <decider>`: writes the golden file of a new decider, never over an old one. */

const decider = Number(process.argv[2]);
const golden = Object.fromEntries(Object.entries(CASES).map(([name, change]) => [name, goldenOf(change, decider)]));
const file = join(GOLDEN, 'deciders', `v${decider}.json`);
writeFileSync(file, `${JSON.stringify(golden, undefined, 2)}\n`, { flag: 'wx' });
