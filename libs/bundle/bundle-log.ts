import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { EventPlace, LogReading, RecordedEvent } from '../event-log/port.js';
import { canonicalJson, ownValue } from '../kernel/canonical-json.js';
import type { Digest } from '../kernel/digest.js';
import { KEY_BYTES, type KeyReading } from '../payloads/keyring.js';
import { payloadPlace } from '../payloads/payload-place.js';
import { sealParts } from '../payloads/payload.js';
import type { Bundle, PayloadPart } from '../contract/bundle-format.js';

/** The part of the log that a replay reads. */
export type BundleReading = Pick<LogReading, 'read' | 'payloads' | 'blob'>;

/**
 * A bundle as the log and the keyring that a replay reads, so that the code of the service decides again. Content lies
 * in a bundle in clear: it is encrypted here under a key that this process makes, because that code opens records.
 */
export function logOf(
  { documents, payloads }: Pick<Bundle, 'documents' | 'payloads'>,
  streams: ReadonlyMap<string, readonly RecordedEvent[]>,
  shredded: ReadonlySet<string>,
): { readonly log: BundleReading; readonly keys: Pick<KeyReading, 'get'> } {
  const bytes = randomBytes(KEY_BYTES);
  const key = createSecretKey(bytes);
  return {
    log: {
      read: async (stream, after = 0, limit = Infinity) => (streams.get(stream) ?? []).slice(after, after + limit),
      payloads: async (places) => places.map((place) => recordAt(payloads ?? {}, place, key)),
      blob: async (digest) => bytesOf(documents, digest),
    },
    keys: { get: async (taskId) => (payloads === undefined || shredded.has(taskId) ? undefined : bytes) },
  };
}

function recordAt(payloads: NonNullable<Bundle['payloads']>, place: EventPlace, key: KeyObject) {
  const name = payloadPlace(place);
  const parts = ownValue(payloads, name);
  return parts === undefined ? undefined : sealParts(key, name, parts.map(sealable));
}

/** A part with the salt that it came with. */
function sealable(part: PayloadPart): Parameters<typeof sealParts>[2][number] {
  return { bytes: Buffer.from(JSON.stringify(part)), commitment: 'sha256:', valueAt: 0 };
}

function bytesOf(documents: Bundle['documents'], digest: Digest): Uint8Array | undefined {
  const document = ownValue(documents, digest);
  if (document === undefined) return undefined;
  return Buffer.from(typeof document === 'string' ? document : canonicalJson(document));
}
