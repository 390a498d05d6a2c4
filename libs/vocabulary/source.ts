import { z } from 'zod';
import { hasUnseen, lookOf } from './lookalikes.js';

/** The kinds of origin of a version. */
export const SourceType = z.enum(['npm', 'pypi', 'oci', 'git', 'http', 'file']);
export type SourceType = z.infer<typeof SourceType>;

interface Grammar {
  /** The expected form of a name, for the error text. */
  readonly needs: string;
  /** The one spelling of a name that fits, under which all of its spellings match; undefined if it does not fit. */
  readonly canonical: (name: string) => string | undefined;
}

const GRAMMARS: Readonly<Record<SourceType, Grammar>> = {
  // The rules of validate-npm-package-name for new packages.
  npm: {
    needs: 'the name of an npm package, in lower case',
    canonical: (name) =>
      /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/.test(name) && name.length <= 214 ? name : undefined,
  },
  // PEP 508 names, compared as PEP 503 says.
  pypi: {
    needs: 'the name of a Python distribution (PEP 508)',
    canonical: (name) =>
      /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/i.test(name) ? name.toLowerCase().replace(/[-_.]+/g, '-') : undefined,
  },
  oci: { needs: 'an OCI reference: [registry/]repository[:tag][@digest]', canonical: canonicalImage },
  git: { needs: 'a git URL, or host/path', canonical: canonicalRepository },
  http: { needs: 'a host, or an http or https URL', canonical: canonicalSite },
  file: { needs: 'a path or a name without invisible characters', canonical: canonicalPath },
};

/** Why a name is none of its source's type; undefined if it is one. */
export function sourceFault(type: SourceType, name: string): string | undefined {
  const { needs, canonical } = GRAMMARS[type];
  return canonical(name) === undefined ? `needs ${needs}` : undefined;
}

/**
 * The spelling under which a source is matched, as `type:name`. A name that does not fit its grammar (an old
 * registration, or a typing error) is matched by its look, in lower case. Any other text is itself.
 */
export function canonicalSource(source: string): string {
  const colon = source.indexOf(':');
  const type = SourceType.safeParse(source.slice(0, Math.max(0, colon)).trim().toLowerCase());
  if (!type.success) return source;
  const name = source.slice(colon + 1);
  const { canonical } = GRAMMARS[type.data];
  const look = lookOf(name).toLowerCase();
  return `${type.data}:${canonical(name) ?? canonical(look) ?? look}`;
}

const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::\d{1,5})?$/i;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** The grammar of github.com/distribution/reference; without tag and digest, and with the registry that Docker implies. */
function canonicalImage(name: string): string | undefined {
  const match = /^(.*?)(?::(\w[\w.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?$/.exec(name);
  const repository = match?.[1] ?? '';
  const slash = repository.indexOf('/');
  const first = repository.slice(0, Math.max(0, slash));
  const hasDomain = /[.:]/.test(first) || first === 'localhost';
  const domain = hasDomain ? registryOf(first.toLowerCase()) : DOCKER;
  const path = hasDomain ? repository.slice(slash + 1) : repository;
  if (repository.length > 255 || !DOMAIN.test(domain) || !REPOSITORY.test(path)) return undefined;
  return domain === DOCKER && !path.includes('/') ? `${domain}/library/${path}` : `${domain}/${path}`;
}

const DOCKER = 'docker.io';
const DOCKER_HOSTS: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);

/** A registry without the port of https; a name without a dot needs its port, or it would be a part of the path. */
function registryOf(domain: string): string {
  const host = domain.replace(/^(.*\..*|localhost):0*443$/, '$1');
  return DOCKER_HOSTS.has(host) ? DOCKER : host;
}

/** Scheme, user, default port, `.git` and case do not distinguish repositories. */
function canonicalRepository(name: string): string | undefined {
  const scp = /^(?:[\w.-]+@)([\w.-]+):(?!\/\/)(.+)$/.exec(name);
  const text = scp === null ? name.replace(/^git\+(?=[a-z]+:\/\/)/i, '') : `ssh://${scp[1]}/${scp[2]}`;
  const { site, path } = placeOf(text, ['https', 'http', 'ssh', 'git']) ?? {};
  if (site === undefined || path === undefined) return undefined;
  const repository = path
    .replace(/\/+/g, '/')
    .toLowerCase()
    .replace(/(?:\.git|[./])+$/, '');
  return `${site}${repository}`;
}

/** Two services may differ by the query alone, so it stays. */
function canonicalSite(name: string): string | undefined {
  const { site, path, query } = placeOf(name, ['https', 'http']) ?? {};
  return site === undefined ? undefined : `${site}${path}${query}`;
}

const DEFAULT_PORTS = { http: '80', https: '443', ssh: '22', git: '9418' } as const;
type Scheme = keyof typeof DEFAULT_PORTS;

interface Place {
  /** The host and its port. The scheme precedes them if the port is the default of another scheme. */
  readonly site: string;
  readonly path: string;
  readonly query: string;
}

/** The parts of a URL that identify its target, or of a URL without its scheme; undefined for any other text. */
function placeOf(text: string, schemes: readonly Scheme[]): Place | undefined {
  // URLs drop tabs and line breaks, and encode the rest of what is not ASCII: nothing of that is a name.
  if (!/^[\x21-\x7e]+$/.test(text)) return undefined;
  const [, written, rest = text] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text) ?? [];
  const scheme = schemes.find((each) => each === written?.toLowerCase());
  if (written !== undefined && scheme === undefined) return undefined;
  const place = withoutEscapes(rest);
  if (!URL.canParse(`https://${place}`)) return undefined;
  const { hostname, port: secure, pathname, search, username, password } = new URL(`https://${place}`);
  // A URL leaves out the default port of its own scheme: the other scheme keeps it.
  const port = secure === '' ? new URL(`http://${place}`).port : secure;
  const undotted = hostname.replace(/\.+$/, '');
  if (!URL.canParse(`https://${undotted}`) || (username !== '' && password !== '')) return undefined;
  // Without its dots a name may be a number, which is an address.
  const host = new URL(`https://${undotted}`).hostname;
  const defaults = new Set(schemes.map((each): string => DEFAULT_PORTS[each]));
  const isDefault = scheme === undefined ? defaults.has(port) : port === DEFAULT_PORTS[scheme];
  const shown = port === '' || isDefault ? host : `${host}:${port}`;
  const isOfAnother = scheme !== undefined && !isDefault && defaults.has(port);
  return { site: isOfAnother ? `${scheme}://${shown}` : shown, path: pathname.replace(/\/+$/, ''), query: search };
}

/** A URL without needless escapes (RFC 3986, section 6.2.2); a lone `%` is escaped. */
function withoutEscapes(url: string): string {
  return url.replace(/%([0-9a-f]{2})?/gi, (escape: string, hex?: string) => {
    if (hex === undefined) return '%25';
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[\w.~-]/.test(character) ? character : escape.toUpperCase();
  });
}

function canonicalPath(name: string): string | undefined {
  if (name.trim() !== name || name === '' || hasUnseen(name)) return undefined;
  const kept: string[] = [];
  for (const segment of name.normalize('NFC').replaceAll('\\', '/').split('/')) {
    if (segment === '..' && kept.length > 0 && kept.at(-1) !== '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const path = kept.join('/');
  return /^[/\\]/.test(name) ? `/${path}` : path === '' ? undefined : path;
}
