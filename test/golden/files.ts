import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

/** The golden files themselves: they stay with the sources and are not compiled. */
export const GOLDEN = join(dirname(fileURLToPath(import.meta.url)), '../../../test/golden');

/** Names of all files of a golden folder. */
export const namesIn = (folder: string): string[] => readdirSync(join(GOLDEN, folder)).sort();

export const readYaml = <Document>(...path: string[]): Document =>
  parse(readFileSync(join(GOLDEN, ...path), 'utf8'), { maxAliasCount: 1000 }) as Document;

export const readJson = <Document>(...path: string[]): Document =>
  JSON.parse(readFileSync(join(GOLDEN, ...path), 'utf8')) as Document;

/** `allow-plain` of `allow-plain.yaml`. */
export const stem = (name: string): string => basename(name, '.yaml');
