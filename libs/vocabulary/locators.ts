/**
 * The formats of texts that name or address something: those of JSON Schema 2020-12, and those that generators of
 * schemas add. A span that is redacted in such a text makes it the name of something else.
 */
const FORMATS: ReadonlySet<unknown> = new Set([
  'uri',
  'uri-reference',
  'uri-template',
  'iri',
  'iri-reference',
  'url',
  'email',
  'idn-email',
  'hostname',
  'idn-hostname',
  'ipv4',
  'ipv6',
  'uuid',
  'json-pointer',
  'relative-json-pointer',
  'path',
  'file-path',
  'directory-path',
  'phone',
]);

/** Whether a `format` of a schema says that its texts name or address something. */
export const isLocatorFormat = (format: unknown): boolean => FORMATS.has(format);

/** The last word of the name of an argument that mostly names or addresses something. */
const WORDS: ReadonlySet<string> = new Set(
  (
    'path paths file files filename filepath folder directory dir uri uris url urls href link id ids uuid to cc bcc recipient ' +
    'recipients source src destination destinations dest dst target targets email emails mail address addresses host hostname account user username repo repository branch channel'
  ).split(' '),
);

/** Whether the name of an argument says that its text names or addresses something: `filePath`, `user_id`, `to`. */
export function isLocatorName(name: string): boolean {
  const words = name.split(/(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+/).filter((word) => word !== '');
  return WORDS.has((words.at(-1) ?? '').toLowerCase());
}
