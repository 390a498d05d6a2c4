import type { Derived, Origin } from './derived.js';

/** Attributes by which a page hides an element from people. */
const HIDES =
  /display\s?:\s?none|visibility\s?:\s?(?:hidden|collapse)|font-size\s?:\s?[0-2](?:\.\d{1,3})?(?:px|pt|em|rem|%)?\s?(?:[;"'!]|$)|opacity\s?:\s?0?(?:\.0\d{0,2})?\s?(?:[;"'!]|$)|(?:[^-]|^)color\s?:\s?(?:#f{3,8}\b|#f[ef]f[ef]f[ef]|white|transparent|rgba?\(\s?255\s?,\s?255\s?,\s?255|rgba\([^)]{0,24},\s?0\s?\))|(?:text-indent|left|top|right|margin-left|margin-top)\s?:\s?-\d{3,6}|(?:^|[\s;"'])(?:max-)?(?:height|width)\s?:\s?[01](?:px)?\s?(?:[;"'!]|$)|clip\s?:\s?rect\(|clip-path\s?:\s?inset\(|scale\(0|\shidden(?:[\s=>/]|$)|aria-hidden\s?=\s?["']?true|class\s?=\s?["'][^"']{0,64}(?:sr-only|visually-hidden|screen-reader-text|d-none|hidden)|<(?:template|noscript|noembed|noframes)\b|type\s?=\s?["']?hidden|bgcolor/;
/** A tag: markup up to here is looked at. */
const MAX_TAG = 600;
const MAX_ELEMENT = 8192;
/** Elements without an end. */
const VOID = /^<(?:img|br|hr|input|meta|link|source|area|base|col|embed|track|wbr)\b/;
/** Comments of Markdown: a link that nothing refers to. */
const MARKDOWN_COMMENT = /\[[^\]\n]{1,32}\]:[ \t]{0,4}(?:#|<>|<#>|\.)[ \t]{0,4}["'(]([^\n]{8,4000})/g;
/** Elements by which an attack imitates messages of a host or a user. */
const PRETENDED =
  /<\/?\s?(?:important|critical|urgent|secret|hidden|admin|override|instructions?|system|system_message|system_note|sys|information|info|directive|priority|mandatory|prompt|user_request|user_query|new_task|task|command|ai_instructions?|interaction-config|assistant_instructions?|tool_instructions?|llm|agent|notice_to_ai|security)(?=[\s>:=])[^<>]{0,64}>/g;

/** The same in brackets: `[system]`, `[ADMIN REQUEST::`. */
const BRACKETED =
  /\[\s?(?:system|sys|admin|administrator|developer|root|instructions?|override|hidden|secret|assistant|ai|llm|core instruction)(?:[ _:-]{1,3}(?:message|prompt|note|request|instructions?|override|command|notice|alert|directive)){0,2}\s?(?:\]|:{1,2})/g;

/** The same as a rule or a banner: `*** NEW INSTRUCTIONS ***`, `--- END OF DOCUMENT ---`. */
const BANNERS =
  /(?:^|[\n"'>])[ \t]{0,4}(?:[-=%~+!]{2,12}|\*{3,12}|#{2,12}|<{2,6})[ \t_]{0,3}(?:[a-z]{1,16}[ _-]{1,2}){0,3}(?:(?:new|updated|urgent|hidden|secret|system|admin|administrator|priority|override|developer|root|trusted|user|assistant|ai|agent|llm|core|embedded|security|context|important)[ _-]{1,2}){1,3}(?:instructions?|directives?|overrides?|commands?|metadata|orders|update|mode|prompt|content)(?:[ _-]{1,2}[a-z]{1,16}){0,3}[ \t_]{0,3}(?:[-=%~+!#*]{2,12}|>{2,6})/g;
/** The same at the start of a sentence: `HIDDEN INSTRUCTION:`, `[OVERRIDE DIRECTIVE]:`. */
const LABELS =
  /(?:^|[\n"'>.!?(*[{] ?)(?:hidden|secret|priority|override|embedded|ai|llm|assistant|agent|system override|admin override|system admin|root)[ _-](?:instructions?|directives?|overrides?|commands?|notes?|orders?)(?:[ _-](?:from|for|to|by)[ _-](?:the )?[a-z ]{2,32})?[\]"*]{0,3}\s?[:=]/g;

/** Adds what markup hides: comments and elements that are not shown. Offsets are of the text, in lower case. */
export function addHiddenMarkup(lower: string, derived: Derived): void {
  if (lower.includes('<')) {
    addComments(lower, '<!--', '-->', derived);
    addElements(lower, derived);
    addPretended(lower, PRETENDED, derived);
  }
  if (lower.includes('[')) addPretended(lower, BRACKETED, derived);
  addPretended(lower, BANNERS, derived);
  addPretended(lower, LABELS, derived);
  for (const match of lower.matchAll(MARKDOWN_COMMENT)) {
    const end = match.index + match[0].length;
    add(derived, match[1] ?? '', 'markdown_comment', match.index, end, 'comment');
  }
}

function add(
  derived: Derived,
  text: string,
  detector: string,
  from: number,
  to: number,
  orders: Origin['orders'],
): void {
  const origin: Origin = { detector, kind: 'hidden_text', orders, span: [from, to], isVisible: true };
  derived.add(text, origin);
}

function addComments(lower: string, open: string, close: string, derived: Derived): void {
  for (let from = lower.indexOf(open); from >= 0;) {
    const content = from + open.length;
    const found = lower.indexOf(close, content);
    const end = found < 0 ? lower.length : found;
    add(derived, lower.slice(content, end), 'html_comment', from, found < 0 ? end : end + close.length, 'comment');
    if (found < 0) return;
    from = lower.indexOf(open, end);
  }
}

/** Each tag is looked at once, and each hidden element ends the search in it: linear. */
function addElements(lower: string, derived: Derived): void {
  for (let from = lower.indexOf('<'); from >= 0;) {
    const close = lower.indexOf('>', from);
    if (close < 0) return;
    let next = from + 1;
    if (close - from <= MAX_TAG && /^<[a-z]/.test(lower.slice(from, from + 2))) {
      const tag = lower.slice(from, close);
      if (HIDES.test(tag) && !VOID.test(tag)) {
        next = elementEnd(lower, tag, close + 1);
        add(
          derived,
          lower.slice(close + 1, next).replace(/<[^<>]{0,600}>/g, ' '),
          'hidden_element',
          from,
          next,
          'element',
        );
      } else next = close;
    }
    from = lower.indexOf('<', next);
  }
}

function elementEnd(lower: string, tag: string, from: number): number {
  const name = /^<([a-z][a-z0-9-]{0,31})/.exec(tag)?.[1] ?? '';
  const limit = Math.min(lower.length, from + MAX_ELEMENT);
  const end = lower.slice(from, limit).indexOf(`</${name}`);
  return end < 0 ? limit : from + end;
}

/** Adds the text after each pretended mark, up to the next one. */
function addPretended(lower: string, pattern: RegExp, derived: Derived): void {
  const marks = [...lower.matchAll(pattern)];
  for (const [index, mark] of marks.entries()) {
    if (mark[0].startsWith('</')) continue;
    const from = mark.index + mark[0].length;
    const to = Math.min(marks[index + 1]?.index ?? lower.length, from + 2000);
    if (to - from >= 8) add(derived, lower.slice(from, to), 'pretended_mark', mark.index, to, 'comment');
  }
}
