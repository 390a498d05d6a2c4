import { z } from 'zod';
import { hasUnseen, lookOf } from './lookalikes.js';

/** Where a version comes from. */
export const SourceType = z.enum(['npm', 'pypi', 'oci', 'git', 'http', 'file']);
export type SourceType = z.infer<typeof SourceType>;

interface Grammar {
  /** What a name has to be, for the one who wrote another. */
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
 * The spelling under which a source is matched, as `type:name`. What does not fit its grammar (it was registered before
 * there was one, or typed in a hurry) goes by what it looks like, in lower case. Any other text is itself.
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
  const domain = hasDomain ? first.toLowerCase() : 'docker.io';
  const path = hasDomain ? repository.slice(slash + 1) : repository;
  if (repository.length > 255 || !DOMAIN.test(domain) || !REPOSITORY.test(path)) return undefined;
  const isDocker = domain === 'docker.io' || domain === 'index.docker.io';
  return isDocker ? `docker.io/${path.includes('/') ? path : `library/${path}`}` : `${domain}/${path}`;
}

/** Scheme, user, default port and `.git` say nothing about which repository it is. */
function canonicalRepository(name: string): string | undefined {
  const scp = /^(?:[\w.-]+@)([\w.-]+):(?!\/\/)(.+)$/.exec(name);
  const text = scp === null ? name.replace(/^git\+/, '') : `ssh://${scp[1]}/${scp[2]}`;
  const place = placeOf(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`, /^(?:https?|ssh|git):$/);
  return place?.replace(/\.git$/, '').toLowerCase();
}

function canonicalSite(name: string): string | undefined {
  return placeOf(name.includes('://') ? name : `https://${name}`, /^https?:$/);
}

/** Host and path of a URL, without the rest; undefined for what is no URL of these schemes. */
function placeOf(text: string, schemes: RegExp): string | undefined {
  // URLs drop tabs and line breaks, and encode the rest of what is not ASCII: nothing of that is a name.
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, host, pathname, username, password } = new URL(text);
  if (!schemes.test(protocol) || host === '' || (username !== '' && password !== '')) return undefined;
  return host.replace(/:(?:80|443|22|9418)$/, '').toLowerCase() + pathname.replace(/\/+$/, '');
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
