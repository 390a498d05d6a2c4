import type { SuiteResult } from './suite.js';

/** The results as JUnit XML, which build servers read. */
export function junitOf(suites: readonly SuiteResult[]): string {
  const lines = suites.flatMap(({ file, cases }) => [
    `  <testsuite name="${escaped(file)}" tests="${cases.length}" failures="${cases.filter(failed).length}">`,
    ...cases.map(({ name, failure }) => {
      const opening = `    <testcase name="${escaped(name)}" classname="${escaped(file)}"`;
      return failure === undefined ? `${opening}/>` : `${opening}><failure message="${escaped(failure)}"/></testcase>`;
    }),
    '  </testsuite>',
  ]);
  const all = suites.flatMap(({ cases }) => cases);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${all.length}" failures="${all.filter(failed).length}">`,
    ...lines,
    '</testsuites>',
    '',
  ].join('\n');
}

const failed = ({ failure }: { readonly failure?: string }): boolean => failure !== undefined;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** For an attribute. A character that XML 1.0 does not have becomes U+FFFD. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign)
    .replaceAll(/[\t\n\r]/g, ' ')
    .replaceAll(/[\p{Cc}\ufffe\uffff]/gu, '\ufffd');
}
