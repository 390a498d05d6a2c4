/** A piece of a report. Its texts are raw: servers, hosts and agents wrote much of them, and each writer escapes them. */
export type Block =
  | { readonly type: 'heading'; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly type: 'text'; readonly text: string }
  /** The decision on a call, in a sentence. */
  | { readonly type: 'verdict'; readonly allowed: boolean; readonly text: string }
  | { readonly type: 'facts'; readonly rows: readonly Fact[] }
  | { readonly type: 'table'; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }
  /** Content, whole and with its lines. */
  | { readonly type: 'quote'; readonly name: string; readonly text: string };

/** A name of ours, and what the record says under it. */
export type Fact = readonly [name: string, text: string];

/** Most UTF-16 units of a text that is no content: longer ones are cut. */
export const MAX_TEXT_CHARS = 600;

/** Every fact that says something. */
export const facts = (rows: readonly Fact[]): Block => ({
  type: 'facts',
  rows: rows.filter(([, text]) => text !== ''),
});
