/** `Long_Name short` for each general category and for the usual scripts, of Unicode's property value aliases. */
const SHORT = `Cased_Letter LC, Close_Punctuation Pe, Connector_Punctuation Pc, Control Cc, cntrl Cc, Currency_Symbol Sc,
  Dash_Punctuation Pd, Decimal_Number Nd, digit Nd, Enclosing_Mark Me, Final_Punctuation Pf, Format Cf, Initial_Punctuation Pi,
  Letter L, Letter_Number Nl, Line_Separator Zl, Lowercase_Letter Ll, Mark M, Combining_Mark M, Math_Symbol Sm, Modifier_Letter Lm,
  Modifier_Symbol Sk, Nonspacing_Mark Mn, Number N, Open_Punctuation Ps, Other C, Other_Letter Lo, Other_Number No,
  Other_Punctuation Po, Other_Symbol So, Paragraph_Separator Zp, Private_Use Co, Punctuation P, punct P, Separator Z,
  Space_Separator Zs, Spacing_Mark Mc, Surrogate Cs, Symbol S, Titlecase_Letter Lt, Unassigned Cn, Uppercase_Letter Lu,
  Alpha Alphabetic, Lower Lowercase, Upper Uppercase, space White_Space, AHex ASCII_Hex_Digit,
  Arab Arabic, Armn Armenian, Beng Bengali, Cyrl Cyrillic, Deva Devanagari, Ethi Ethiopic, Geor Georgian, Grek Greek,
  Hang Hangul, Hani Han, Hebr Hebrew, Hira Hiragana, Kana Katakana, Khmr Khmer, Latn Latin, Taml Tamil, Zyyy Common`;

const NAMES: ReadonlyMap<string, string> = new Map(
  SHORT.split(',').map((pair): [string, string] => {
    const [from = '', to = ''] = pair.trim().split(' ');
    return [from, to];
  }),
);

/** Properties that RE2 lacks and that are one range, as members of a class: what has it, and what has not. */
const RANGES: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['ASCII', [String.raw`\x{0}-\x{7F}`, String.raw`\x{80}-\x{10FFFF}`]],
  ['Regional_Indicator', [String.raw`\x{1F1E6}-\x{1F1FF}`, String.raw`\x{0}-\x{1F1E5}\x{1F200}-\x{10FFFF}`]],
]);

/** A Unicode property as members of an RE2 class. Whether RE2 knows the name shows when it compiles. */
export function propertyMembers(name: string, negate: boolean): string {
  const range = RANGES.get(name);
  if (range !== undefined) return range[negate ? 1 : 0];
  return `\\${negate ? 'P' : 'p'}{${NAMES.get(name) ?? name}}`;
}
