import { isJsonObject, ownValue, type Json } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { askProgram } from './ask-program.js';
import { unproven, type Place, type Provenance } from './evidence.js';

/**
 * Options of `run` that take no value (docker 29 and podman 5). All others take the next word, or their value follows
 * `=`.
 */
const FLAGS = new Set(
  (
    'detach interactive tty rm init privileged read-only publish-all no-healthcheck oom-kill-disable quiet help no-hosts ' +
    'no-hostname replace rmi systemd tls-verify env-host http-proxy passwd disable-content-trust sig-proxy use-api-socket ' +
    'debug tls tlsverify remote version'
  )
    .split(' ')
    .map((name) => `--${name}`),
);
const SHORT_FLAGS = /^[itdPqDr]$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * The image that a container engine's command line runs: the digest in its reference, or else what the engine says of
 * its local image. That is the digest under which the repository serves the image, or else the digest of the image
 * itself.
 */
export async function provenanceOfContainer(
  engine: string,
  args: readonly string[],
  place: Place,
): Promise<Provenance> {
  const reference = imageOf(args);
  if (reference === undefined) return unproven(`the command does not say which image ${engine} runs`);
  const { repository, tag, digest } = partsOf(reference);
  const named = defined({ type: 'oci', name: repository, version: tag });
  if (digest !== undefined) {
    const note = 'the command names the image by its digest';
    return { source: { ...named, integrity: digest }, integrity: digest, note };
  }
  const images = await askProgram(engine, ['image', 'inspect', reference], place);
  const image = Array.isArray(images) ? (images as readonly Json[])[0] : undefined;
  const found = image === undefined ? undefined : digestIn(image, repository);
  if (found === undefined)
    return { source: named, note: `${engine} does not tell the digest of the image ${reference}` };
  const note = `the image is the one that ${engine} keeps for ${reference}; name it by @${found} to pin it`;
  return { source: { ...named, integrity: found }, integrity: found, note };
}

/**
 * The image's reference in `docker run` or `docker container run`, for any engine. Other commands, such as `compose
 * run`, name a service, a model or an agent, and no image.
 */
export function imageOf(args: readonly string[]): string | undefined {
  const operands: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (arg === '--') continue;
    if (arg.startsWith('--')) {
      if (!arg.includes('=') && !FLAGS.has(arg)) at += 1;
    } else if (arg.startsWith('-') && arg.length > 1) {
      if (takesNext(arg.slice(1))) at += 1;
    } else if (/^(container )?run$/.test(operands.join(' '))) return arg;
    else operands.push(arg);
  }
  return undefined;
}

/** Whether a cluster of short options, such as `it` or `ie`, ends in one that takes the next word as its value. */
function takesNext(cluster: string): boolean {
  const at = cluster.split('').findIndex((letter) => !SHORT_FLAGS.test(letter));
  return at >= 0 && at === cluster.length - 1;
}

/** The parts of an image's full reference. A short name means `docker.io/library/`. */
export function partsOf(reference: string): { repository: string; tag?: string; digest?: string } {
  const [named = '', digest] = reference.split('@');
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const short = tagged ? named.slice(0, colon) : named;
  const first = short.split('/', 1)[0] ?? '';
  const hasHost = short.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const repository = hasHost ? short : `docker.io/${short.includes('/') ? '' : 'library/'}${short}`;
  return defined({
    repository,
    tag: tagged ? named.slice(colon + 1) : undefined,
    digest: digest !== undefined && DIGEST.test(digest) ? digest : undefined,
  });
}

function digestIn(image: Json, repository: string): string | undefined {
  if (!isJsonObject(image)) return undefined;
  const digests = ownValue(image, 'RepoDigests');
  for (const one of Array.isArray(digests) ? (digests as readonly Json[]) : []) {
    const served = typeof one === 'string' ? partsOf(one) : undefined;
    if (served?.repository === repository && served.digest !== undefined) return served.digest;
  }
  const id = ownValue(image, 'Id');
  const digest = typeof id !== 'string' ? '' : id.startsWith('sha256:') ? id : `sha256:${id}`;
  return DIGEST.test(digest) ? digest : undefined;
}
