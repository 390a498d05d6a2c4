import { symbolsOf, uriMatcher, type UriMatcher, type UriSymbol } from './uri-template.js';

/** The fault of a URI of a `resource:` or `template:` operation. Evidence names it as the keyword. */
export type UriFault = 'const' | 'uriTemplate' | 'dotSegment' | 'separator' | 'control' | 'resource';

const [RESOURCE, TEMPLATE] = ['resource:', 'template:'] as const;
const MAX_URI_CHARS = 8192;
const MAX_MATCHERS = 2000;

/**
 * Why a URI may not be read by an operation of a manifest; undefined if it may. A `resource:` operation reads its own
 * URI alone. A `template:` operation reads what its template matches (RFC 6570) without dot segments, encoded separators
 * or control characters, unless a `resource:` operation of the manifest names the same resource. The URI is
 * attacker-controlled.
 */
export function uriFault(operation: string, uri: string, operations: object): UriFault | undefined {
  if (operation.startsWith(RESOURCE)) return operation.slice(RESOURCE.length) === uri ? undefined : 'const';
  const symbols = uri.length > MAX_URI_CHARS ? undefined : symbolsOf(uri);
  if (symbols === undefined) return 'uriTemplate';
  return (
    spellingFault(symbols) ??
    (matcherOf(operation.slice(TEMPLATE.length))?.matches(symbols) === true ? undefined : 'uriTemplate') ??
    (resourcesOf(operations).has(spelledAlike(uri)) ? 'resource' : undefined)
  );
}

/**
 * The operations of a manifest by which a URI may be read, over the whole manifest: the `resource:` operation of that
 * URI alone, else every `template:` operation that matches. The scope of a task is applied to the outcome: a URI that
 * has a `resource:` operation out of scope is not read by a template in scope.
 */
export function operationsReading(uri: string, operations: object): string[] {
  if (Object.hasOwn(operations, `${RESOURCE}${uri}`)) return [`${RESOURCE}${uri}`];
  return Object.keys(operations).filter(
    (operation) => operation.startsWith(TEMPLATE) && uriFault(operation, uri, operations) === undefined,
  );
}

/** Whether the operation reads what `arguments.uri` names. */
export const readsUri = (operation: string): boolean =>
  operation.startsWith(RESOURCE) || operation.startsWith(TEMPLATE);

function spellingFault(symbols: readonly UriSymbol[]): UriFault | undefined {
  const text = symbols.map(({ char }) => char).join('');
  // Invisible characters hide a dot segment from a reader, and some servers drop them.
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.test(text)) return 'control';
  // An encoded percent sign before two hex digits is encoded twice.
  if (symbols.some(({ char, encoded }) => char === '\\' || (encoded && char === '/'))) return 'separator';
  if (/%[\dA-Fa-f]{2}/.test(text)) return 'separator';
  // Between any two delimiters, as servers differ in which of them end a segment; some trim white space.
  const folded = text.normalize('NFKC');
  return folded.split(/[:/?#[\]@!$&'()*+,;=]/).some((segment) => /^\s*\.\.?\s*$/u.test(segment))
    ? 'dotSegment'
    : undefined;
}

const matchers = new Map<string, UriMatcher | undefined>();

/** The templates used last are kept compiled. */
function matcherOf(template: string): UriMatcher | undefined {
  const matcher = matchers.has(template) ? matchers.get(template) : uriMatcher(template);
  matchers.delete(template);
  matchers.set(template, matcher);
  if (matchers.size > MAX_MATCHERS) matchers.delete(matchers.keys().next().value as string);
  return matcher;
}

const resources = new WeakMap<object, ReadonlySet<string>>();

/** How the resources of a manifest are spelled; computed once for each manifest. */
function resourcesOf(operations: object): ReadonlySet<string> {
  const known = resources.get(operations);
  if (known !== undefined) return known;
  const uris = Object.keys(operations).filter((operation) => operation.startsWith(RESOURCE));
  const spelled = new Set(uris.map((operation) => spelledAlike(operation.slice(RESOURCE.length))));
  resources.set(operations, spelled);
  return spelled;
}

/**
 * One spelling for URIs that servers may take for the same: as the WHATWG URL parser writes it, decoded, in Unicode's
 * NFKC, with a lower-case scheme and authority. User information, the root dot of a host, empty segments, invisible
 * characters and white space are dropped, as are a fragment and an empty query. It errs on the strict side: a
 * template that reads a resource of another operation is a wrong allow, one that reads too little is a plain deny.
 */
function spelledAlike(uri: string): string {
  const parsed = URL.canParse(uri) ? new URL(uri).href : uri;
  const decoded = (symbolsOf(parsed) ?? [{ char: parsed }]).map(({ char }) => char).join('');
  const plain = decoded.normalize('NFKC').replaceAll(/[\s\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '');
  const [, scheme = '', rest = ''] = /^([^/?#:]*:)?(.*)$/su.exec(plain) ?? [];
  const [, authority = '', path = ''] = /^(?:\/\/([^/?#]*))?(.*)$/su.exec(rest) ?? [];
  const host = authority.replace(/^.*@/su, '').replace(/\.(?=:|$)/u, '');
  const segments = path
    .replace(/#.*$/su, '')
    .replace(/\?+$/u, '')
    .split('/')
    .filter((segment) => segment !== '');
  return [scheme.toLowerCase(), host.toLowerCase(), ...segments].filter((part) => part !== '').join('/');
}
