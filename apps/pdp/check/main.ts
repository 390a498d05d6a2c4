import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { readSettings } from '../settings.js';
import { checkFolder } from './check.js';

/** `sallyport check [--json]`: walks the data folder of the settings, prints each damage, and exits with 1 if there is one. */
function main(args: readonly string[]): void {
  const settings = readSettings(process.env);
  const { damages, warnings, summary } = checkFolder(settings);
  if (args.includes('--json'))
    process.stdout.write(`${JSON.stringify({ damages, warnings, summary }, undefined, 2)}\n`);
  else process.stdout.write([...damages, ...warnings, summary].map((line) => `${line}\n`).join(''));
  process.exitCode = damages.length === 0 ? 0 : 1;
}

try {
  main(process.argv.slice(2));
} catch (error) {
  const isExpected = error instanceof Error && error.name === 'SettingsError';
  process.stderr.write(
    `sallyport: ${isExpected ? error.message : `the data folder cannot be read: ${codeOf(error)}`}\n`,
  );
  process.exitCode = 1;
}
