import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOLDEN } from '../golden/files.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { goldenEvents, goldenOcsf } from './golden.js';
import { REDUCED, reduced, wholeSchema } from './schema.js';
import { validate } from './validator.js';

const SAMPLES = join(GOLDEN, '../../libs/siem/samples.ts');

/**
 * Writes the OCSF event of each golden event, and the samples of `sallyport siem sample`. If the whole OCSF schema is on
 * this machine, it also writes the part of it that is committed. Read the difference before a commit: SIEMs hold rules
 * that rest on these files.
 */
const events = goldenOcsf();
for (const [type, event] of events) write(join(GOLDEN, 'siem', `${type}.json`), event);

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const samples = [...goldenEvents()].filter(([type]) => events.has(type)).map(([, event]) => canonicalJson(event));
writeFileSync(
  SAMPLES,
  `/** One recorded event of each type, as \`npm run golden:siem\` took them from the golden events. */
export const SAMPLES: readonly string[] = [
${samples.map((text) => `  ${quoted(text)},`).join('\n')}
];
`,
);

const whole = wholeSchema();
if (whole === undefined) console.log('no whole OCSF schema here: the reduced one stays as it is');
else {
  const objects = [...events.values()].flatMap((event) => [...validate(whole, event).objects]);
  write(REDUCED, reduced(whole, new Set(objects)), 0);
}

function write(file: string, document: unknown, indent = 2): void {
  writeFileSync(file, `${JSON.stringify(document, undefined, indent)}\n`);
}
