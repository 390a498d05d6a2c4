import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { DsseEnvelope } from '../../../libs/capability/manifest.js';
import { fingerprintDefinition } from '../../../libs/kernel/definition-digest.js';
import { defined } from '../../../libs/kernel/defined.js';
import { digestOf } from '../../../libs/kernel/digest.js';
import { isJsonObject, ownValue, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { bytesOfBase64, preAuthEncoding, type Envelope } from '../../../libs/trust/dsse.js';
import { MANIFEST_TYPE, statementText } from '../../../libs/trust/manifest-signature.js';
import { KeyId } from '../../../libs/vocabulary/ids.js';
import { KeyAlgorithm } from '../../../libs/vocabulary/words.js';
import { describe, readInput, readObject, type Exits } from '../command.js';
import { jsonText, printable } from '../print.js';
import { UsageError, type World } from '../world.js';

/** Commands of a publisher. They need no service, and a private key never leaves its file. */
export function addSign(program: Command, world: World, exits: Exits): void {
  addKeygen(program, world, exits);
  addSignFile(program, world, exits);
}

interface KeygenOptions {
  readonly out: string;
  readonly algorithm: KeyAlgorithm;
}

function addKeygen(program: Command, world: World, exits: Exits): void {
  describe(program, 'keygen', {
    about: 'Make a key pair that signs manifests: a private key that only you can read, and its public key',
    example: 'sallyport keygen --out acme.pem',
  })
    .requiredOption('--out <file>', 'the private key, as PEM (PKCS#8); the public key gets the ending .pub.pem')
    .addOption(new Option('--algorithm <name>', 'of the key').choices(KeyAlgorithm.options).default('ed25519'))
    .action(({ out, algorithm }: KeygenOptions) => {
      const { publicKey, privateKey } =
        algorithm === 'ed25519'
          ? generateKeyPairSync('ed25519')
          : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      const file = resolve(world.cwd, out);
      const publicFile = `${file.replace(/\.pem$/, '')}.pub.pem`;
      writeNew(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
      writeNew(publicFile, publicKey.export({ type: 'spki', format: 'pem' }).toString(), 0o644);
      world.out(
        `${printable(file)}: the private key; keep it\n${printable(publicFile)}: the public key, to register\n`,
      );
      exits.code = 0;
    });
}

/** Writes a file that must not be there yet: an older key is never lost. */
function writeNew(file: string, text: string, mode: number): void {
  try {
    const descriptor = openSync(file, 'wx', mode);
    writeSync(descriptor, text);
    closeSync(descriptor);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(code === 'EEXIST' ? `${file} exists already` : `cannot write ${file}: ${code ?? 'unknown'}`);
  }
}

interface SignOptions {
  readonly key: string;
  readonly keyId: string;
  readonly out?: string;
}

function addSignFile(program: Command, world: World, exits: Exits): void {
  describe(program, 'sign <file>', {
    about: 'Sign a registration, as `capture` wrote it: adds the signature to the file',
    example: 'sallyport sign filesystem.json --key acme.pem --key-id k1',
  })
    .requiredOption('--key <file>', 'the private key, as PEM')
    .requiredOption('--key-id <id>', 'the id under which the publisher registered the key')
    .option('--out <file>', 'another file for the result')
    .action(async (name: string, { key, keyId, out }: SignOptions) => {
      if (!KeyId.safeParse(keyId).success) throw new UsageError('--key-id needs letters, digits, ".", "_", ":" or "-"');
      const registration = await readObject(world, name);
      const { signed, kept } = withSignature(registration, keyId, await readPrivateKey(world, key));
      writeFileSync(resolve(world.cwd, out ?? name), `${jsonText(signed)}\n`);
      const others = kept === 0 ? '' : ` with ${kept} other signature${kept === 1 ? '' : 's'} kept`;
      world.out(`${printable(out ?? name)}: signed by ${printable(keyId)}${others}\n`);
      exits.code = 0;
    });
}

async function readPrivateKey(world: World, name: string): Promise<KeyObject> {
  const pem = await readInput(world, name);
  try {
    const key = createPrivateKey(pem);
    const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
    if (key.asymmetricKeyType === 'ed25519' || isP256) return key;
  } catch {
    // The message of the library may hold a part of the key.
  }
  throw new UsageError(`${name} needs the PEM of a private key, Ed25519 or ECDSA P-256`);
}

/**
 * A registration with one more signature. Signatures of the same payload stay, other than an earlier one of this key:
 * those of another payload carry nothing.
 */
function withSignature(registration: JsonObject, keyId: string, key: KeyObject): { signed: JsonObject; kept: number } {
  const version = ownValue(registration, 'version');
  if (!isJsonObject(version)) throw new UsageError('needs a registration, as `sallyport capture` writes it');
  const payload = Buffer.from(statementOf(registration, version));
  const encoded = preAuthEncoding(MANIFEST_TYPE, payload);
  const sig = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', encoded, key).toString('base64');
  const kept = earlierSignatures(version, payload).filter(({ keyid }) => keyid !== keyId);
  const signatures = [...kept.map((each): JsonObject => defined(each)), { keyid: keyId, sig }];
  const signature = { payloadType: MANIFEST_TYPE, payload: payload.toString('base64'), signatures };
  return { signed: { ...registration, version: { ...version, signature } }, kept: kept.length };
}

function earlierSignatures(version: JsonObject, payload: Buffer): Envelope['signatures'] {
  const envelope = DsseEnvelope.safeParse(ownValue(version, 'signature'));
  const same = envelope.success && bytesOfBase64(envelope.data.payload)?.equals(payload) === true;
  return same ? envelope.data.signatures : [];
}

function statementOf(registration: JsonObject, version: JsonObject): string {
  const [id, kind, category, owner] = ['id', 'kind', 'category', 'owner'].map((name) => textOf(registration, name));
  const fingerprint = fingerprintDefinition(needed(version, 'definition'));
  if (!fingerprint.ok)
    throw new UsageError(`/version/definition${fingerprint.error.path}: ${fingerprint.error.message}`);
  const supplyChain = ownValue(version, 'supplyChain');
  return statementText({
    capability: id ?? '',
    kind: kind ?? '',
    category: category ?? '',
    owner: owner ?? '',
    version: textOf(version, 'version'),
    source: needed(version, 'source'),
    definitionDigest: fingerprint.value.digest,
    manifest: needed(version, 'manifest'),
    supplyChainDigest: supplyChain === undefined ? undefined : digestOf(supplyChain),
  });
}

function needed(object: JsonObject, name: string): JsonObject {
  const value = ownValue(object, name);
  if (!isJsonObject(value)) throw new UsageError(`the registration has no ${name}`);
  return value;
}

function textOf(object: JsonObject, name: string): string {
  const value = ownValue(object, name);
  if (typeof value !== 'string') throw new UsageError(`the registration has no ${name}`);
  return value;
}
