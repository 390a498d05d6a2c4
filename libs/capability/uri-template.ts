/**
 * Matching of URIs against URI templates (RFC 6570, all four levels). A template is compiled to a small nondeterministic
 * automaton, and all its readings of a URI are followed at once. So the time is bounded, even if both are hostile. The
 * file has no dependency: the service and an agent host match with the same code.
 */

/** Follows all ways through a template at once. */
export interface UriMatcher {
  /** Whether the URI is an expansion of the template; `symbols` are those of `symbolsOf`. */
  matches(symbols: readonly UriSymbol[]): boolean;
}

/** One character of a URI. */
export interface UriSymbol {
  /** The character that it means. */
  readonly char: string;
  /** It is written as percent-encoded octets. */
  readonly encoded: boolean;
}

interface State {
  readonly takes?: (symbol: UriSymbol) => boolean;
  readonly to: readonly State[];
}
/** A part of a template, given what follows it. */
type Fragment = (next: State) => State;

interface Operator {
  readonly first: string;
  readonly separator: string;
  /** The value follows its variable's name. */
  readonly named: boolean;
  readonly reserved: boolean;
}

/** RFC 6570, appendix A. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  '': { first: '', separator: ',', named: false, reserved: false },
  '+': { first: '', separator: ',', named: false, reserved: true },
  '#': { first: '#', separator: ',', named: false, reserved: true },
  '.': { first: '.', separator: '.', named: false, reserved: false },
  '/': { first: '/', separator: '/', named: false, reserved: false },
  ';': { first: ';', separator: ';', named: true, reserved: false },
  '?': { first: '?', separator: '&', named: true, reserved: false },
  '&': { first: '&', separator: '&', named: true, reserved: false },
};

/** An operator, and names with their modifiers. A prefix of more than 999 characters is not supported. */
const EXPRESSION = /^([+#./;?&]?)([\w.-]+(?:\*|:[1-9]\d{0,2})?(?:,[\w.-]+(?:\*|:[1-9]\d{0,2})?)*)$/;
const RESERVED = ":/?#[]@!$&'()*+,;=";
/** Characters of RFC 3986 and, above ASCII, of RFC 3987. */
const UNRESERVED = /^(?:[A-Za-z0-9._~-]|[^\0-\x9f\p{Z}])$/u;
/** States of one template; a longer one matches nothing. */
const MAX_STATES = 4096;
/** States that one match may pass through: some 30 ms. A costlier match counts as none. */
const MAX_STEPS = 500_000;

/** Undefined if the text is no template, or one that needs too many states. */
export function uriMatcher(template: string): UriMatcher | undefined {
  const end: State = { to: [] };
  let states = 0;
  const state = (made: State): State => {
    states += 1;
    return made;
  };
  const one =
    (takes: (symbol: UriSymbol) => boolean): Fragment =>
    (next) =>
      state({ takes, to: [next] });
  const literal = (text: string): Fragment =>
    inTurn((symbolsOf(text) ?? []).map((own) => one((symbol) => isSame(symbol, own))));
  const optional =
    (part: Fragment): Fragment =>
    (next) =>
      state({ to: [part(next), next] });
  const many =
    (part: Fragment): Fragment =>
    (next) => {
      const to: State[] = [next];
      const loop = state({ to });
      to.push(part(loop));
      return loop;
    };
  const most = (part: Fragment, count: number): Fragment => inTurn(Array.from({ length: count }, () => optional(part)));

  function expression(text: string): Fragment | undefined {
    const [, sign, names] = EXPRESSION.exec(text) ?? [];
    const operator = sign === undefined ? undefined : OPERATORS[sign];
    if (operator === undefined || names === undefined) return undefined;
    const { first, separator, named, reserved } = operator;
    const value = (also: string): Fragment =>
      one(
        ({ char, encoded }) =>
          encoded || UNRESERVED.test(char) || also.includes(char) || (reserved && RESERVED.includes(char)),
      );
    const variables = names.split(',').map((each): Fragment => {
      const [, name = '', modifier = ''] = /^([^*:]+)(.*)$/.exec(each) ?? [];
      const explodes = modifier === '*';
      const item = modifier.startsWith(':')
        ? inTurn([value(''), most(value(''), Number(modifier.slice(1)) - 1)])
        : some(value(explodes ? ',=' : ','));
      if (!named) return explodes ? inTurn([item, many(inTurn([literal(separator), item]))]) : item;
      const key = explodes ? some(value('')) : literal(name);
      // `;x` is an empty value; with `?` and `&` it is `x=`.
      const assigned = inTurn([literal('='), optional(item)]);
      const pair = inTurn([key, separator === ';' ? optional(assigned) : assigned]);
      return explodes ? inTurn([pair, many(inTurn([literal(separator), pair]))]) : pair;
    });
    const list = anyInTurn(variables, literal(separator));
    // Only a value without an operator's sign in front is required: an empty one would name the whole collection.
    return first === '' ? list : optional(inTurn([literal(first), list]));
  }

  /** Some of the parts, at least one, in their order and with separators between them. */
  function anyInTurn(parts: readonly Fragment[], separator: Fragment): Fragment {
    return (next) => {
      let more: State = next;
      const starts: State[] = [];
      for (const part of parts.toReversed()) {
        const rest = more;
        starts.push(part(rest));
        more = state({ to: [next, inTurn([separator, part])(rest), ...(rest === next ? [] : [rest])] });
      }
      return state({ to: starts });
    };
  }
  const some = (part: Fragment): Fragment => inTurn([part, many(part)]);

  const parts: Fragment[] = [];
  for (const part of template.split(/(\{[^{}]*\})/)) {
    const fragment = part.startsWith('{') ? expression(part.slice(1, -1)) : literalOf(part, literal);
    if (fragment === undefined) return undefined;
    parts.push(fragment);
  }
  const start = inTurn(parts)(end);
  if (states > MAX_STATES) return undefined;
  return { matches: (symbols) => follows(start, symbols).has(end) };
}

const literalOf = (text: string, literal: (text: string) => Fragment): Fragment | undefined =>
  /[{}]/.test(text) || symbolsOf(text) === undefined ? undefined : literal(text);

/** A reserved character and its encoding differ (RFC 3986, section 2.2); of all others both mean the same. */
const isSame = (symbol: UriSymbol, own: UriSymbol): boolean =>
  symbol.char === own.char && (symbol.encoded === own.encoded || !RESERVED.includes(own.char));

const inTurn =
  (parts: readonly Fragment[]): Fragment =>
  (next) =>
    parts.reduceRight((after, part) => part(after), next);

/** The states in which a reading of all symbols may end; none if following them takes too many steps. */
function follows(start: State, symbols: readonly UriSymbol[]): ReadonlySet<State> {
  let current = reached([start]);
  let steps = 0;
  for (const symbol of symbols) {
    steps += current.size;
    const next: State[] = [];
    for (const { takes, to } of current) if (takes?.(symbol) === true) next.push(...to);
    if (next.length === 0 || steps > MAX_STEPS) return new Set();
    current = reached(next);
  }
  return current;
}

/** The states and all that can be reached from them without a symbol. */
function reached(states: readonly State[]): Set<State> {
  const all = new Set(states);
  for (const each of all) if (each.takes === undefined) for (const next of each.to) all.add(next);
  return all;
}

/** The characters of a URI, percent-encoded ones decoded once; undefined if an encoding is broken or no UTF-8. */
export function symbolsOf(uri: string): UriSymbol[] | undefined {
  const symbols: UriSymbol[] = [];
  for (const part of uri.split(/((?:%[\dA-Fa-f]{2})+)/)) {
    const encoded = part.startsWith('%');
    let text = part;
    try {
      if (encoded) text = decodeURIComponent(part);
    } catch {
      return undefined;
    }
    for (const char of text) symbols.push({ char, encoded });
  }
  return symbols;
}
