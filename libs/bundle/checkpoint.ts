import { parseCheckpoint, type SignedCheckpoint } from '../transparency/checkpoint.js';
import { parseVerifier, verifiedBy, verifierText, type NoteVerifier } from '../transparency/note.js';
import type { Bundle } from '../contract/bundle-format.js';
import type { Findings } from './verdict.js';

const WHERE = '/checkpoint';

/**
 * Checks the signatures of the checkpoint. The keys of the bundle have to be exactly those that signed, and they prove
 * nothing by themselves: `given` are the keys that the reader trusts. One of them has to be the key of the log itself: a
 * cosigner such as a witness signs checkpoints of any log. Returns the
 * key that signed as that of the log. Undefined if the checkpoint cannot be used.
 */
export function checkCheckpoint(
  bundle: Bundle,
  given: readonly NoteVerifier[],
  findings: Findings,
): { readonly checkpoint: SignedCheckpoint; readonly logKey: NoteVerifier } | undefined {
  const read = parseCheckpoint(bundle.checkpoint);
  if (!read.ok) return findings.fault(WHERE, read.error);
  const checkpoint = read.value;
  const { origin, size, note } = checkpoint;
  const own: NoteVerifier[] = [];
  for (const [index, text] of bundle.keys.entries()) {
    const verifier = parseVerifier(text);
    if (verifier === undefined) return findings.fault(`/keys/${index}`, 'is no verifier key for Ed25519');
    own.push(verifier);
  }
  const signers = verifiedBy(note, own);
  if (!signers.ok) return findings.fault(WHERE, 'its signature is wrong: the checkpoint or a key was altered');
  if (signers.value.length !== own.length || note.signatures.length !== own.length)
    return findings.fault('/keys', 'are not exactly the keys that signed the checkpoint');
  const givenAs = (key: NoteVerifier) => given.find((other) => isSameKey(other, key)) ?? restored(given, key);
  const isGiven = (key: NoteVerifier): boolean => givenAs(key) !== undefined;
  const logKeys = own.filter(({ name }) => name === origin);
  const logKey = logKeys.find(isGiven) ?? logKeys[0];
  if (logKey === undefined) return findings.fault(WHERE, 'the log that it names did not sign it');
  if (size < 1) return findings.fault(WHERE, 'it is of an empty log');
  findings.checked.push(`the checkpoint of ${origin} with ${size} leaves is signed by ${keyName(logKey)}`);
  if (given.length === 0) {
    findings.gap(
      `no key was given: that ${keyName(logKey)} is the key of the log is only the bundle's own word (give --key)`,
    );
    return { checkpoint, logKey };
  }
  if (!isGiven(logKey)) return findings.fault(WHERE, 'none of the given keys signed it as the key of the log');
  findings.checked.push(`${keyName(logKey)} is ${givenName(givenAs(logKey) ?? logKey, logKey)}`);
  for (const key of own.filter((each) => each !== logKey && isGiven(each)))
    findings.checked.push(`${keyName(key)} was given with --key too, and signed the checkpoint as a cosigner`);
  return { checkpoint, logKey };
}

const isSameKey = (a: NoteVerifier, b: NoteVerifier): boolean => verifierText(a) === verifierText(b);

/** The same public key as that of this log before or after a restore: the name then differs in a numeric suffix only. */
const restored = (given: readonly NoteVerifier[], { name, publicKey }: NoteVerifier): NoteVerifier | undefined =>
  given.find((other) => baseOf(other.name) === baseOf(name) && other.publicKey.equals(publicKey));

/** An origin without the incarnation that a restore adds to it (`originOf` of libs/seal). */
const baseOf = (origin: string): string => origin.replace(/\/\d+$/, '');

const givenName = (given: NoteVerifier, key: NoteVerifier): string =>
  isSameKey(given, key)
    ? 'a key that was given with --key'
    : `the public key that was given with --key as ${keyName(given)}: one of the two names is from before a restore`;

const keyName = ({ name, keyId }: NoteVerifier): string => `key ${Buffer.from(keyId).toString('hex')} of ${name}`;
