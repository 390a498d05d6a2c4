/** A cell of a table. Objects are shown as JSON. */
export type CsvValue = string | number | boolean | object | null | undefined;

/** A spreadsheet takes a cell with such a beginning for a formula. Content of attackers must not become one. */
const FORMULA = /^[=+\-@\t\r]/;
const NEEDS_QUOTES = /[",\r\n]/;

/** One row of RFC 4180 CSV, with its line end. A text that a spreadsheet would run as a formula gets an apostrophe. */
export function csvRow(values: readonly CsvValue[]): string {
  return `${values.map(cell).join(',')}\r\n`;
}

function cell(value: CsvValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
