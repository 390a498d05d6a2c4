/** Text that is already HTML. Only `html` creates it, so the text of a document cannot become markup. */
export class Html {
  constructor(readonly text: string) {}
}

type Inserted = Html | readonly Html[] | string | number;

/** A template of HTML. Inserted strings and numbers are escaped; inserted `Html` is not. */
export function html(fixed: TemplateStringsArray, ...inserted: readonly Inserted[]): Html {
  return new Html(fixed.map((text, index) => text + textOf(inserted[index] ?? '')).join(''));
}

function textOf(inserted: Inserted): string {
  if (inserted instanceof Html) return inserted.text;
  if (typeof inserted === 'object') return inserted.map(({ text }) => text).join('');
  return String(inserted).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
