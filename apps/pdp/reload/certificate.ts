import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { codeOf } from '../../../libs/sqlite-file/codes.js';
import { toInstant } from '../../../libs/kernel/time.js';
import type { Reloadable } from './reloader.js';

/** A certificate chain and the key of its first certificate, in PEM. */
export interface Pem {
  readonly cert: Buffer;
  readonly key: Buffer;
}

interface Served extends Pem {
  /** When the first of the certificates in the chain runs out, in milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificate that both interfaces serve, and its key. Open connections go on: only
 * handshakes after a reload see the new one.
 */
export class ServedCertificate implements Reloadable {
  readonly what = 'certificate';
  readonly files: readonly string[];
  private readonly users: ((pem: Pem) => void)[] = [];
  private served: Served;

  /** Reads the files. Throws one line for an operator. */
  constructor(private readonly tls: { readonly cert: string; readonly key: string }) {
    this.files = [tls.cert, tls.key];
    this.served = readPem(tls);
  }

  get pem(): Pem {
    return this.served;
  }

  /** Calls `user` with each pair that replaces the served one. */
  listen(user: (pem: Pem) => void): void {
    this.users.push(user);
  }

  reload(): boolean {
    const read = readPem(this.tls);
    if (read.cert.equals(this.served.cert) && read.key.equals(this.served.key)) return false;
    this.served = read;
    for (const user of this.users) user(this.served);
    return true;
  }

  details(): { readonly certificateExpiresAt: string } {
    return { certificateExpiresAt: toInstant(this.expiresAtMs) };
  }

  /** When the first of the certificates in the chain runs out, in milliseconds since the epoch. */
  get expiresAtMs(): number {
    return this.served.expiresAtMs;
  }
}

function readPem({ cert, key }: { readonly cert: string; readonly key: string }): Served {
  const pem = { cert: readNamed('SALLYPORT_TLS_CERT', cert), key: readNamed('SALLYPORT_TLS_KEY', key) };
  const chain = orFault('SALLYPORT_TLS_CERT: expected a certificate in PEM', () => {
    const found = pem.cert.toString('latin1').match(CERTIFICATES) ?? [];
    return nonEmpty(found.map((each) => new X509Certificate(each)));
  });
  const privateKey = orFault('SALLYPORT_TLS_KEY: expected a private key in PEM, without a passphrase', () =>
    createPrivateKey(pem.key),
  );
  if (!chain[0].checkPrivateKey(privateKey)) {
    throw new Error('SALLYPORT_TLS_KEY is not the key of the first certificate in SALLYPORT_TLS_CERT');
  }
  orFault('SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY cannot be used for TLS', () => createSecureContext(pem));
  return { ...pem, expiresAtMs: Math.min(...chain.map(({ validToDate }) => validToDate.getTime())) };
}

function readNamed(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`${setting}: ${file} cannot be read: ${codeOf(error)}`, { cause: error });
  }
}

/** The text of OpenSSL says less than `fault`, which is one line for an operator. */
function orFault<Value>(fault: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw new Error(fault, { cause: error });
  }
}

function nonEmpty<Item>([first, ...others]: readonly Item[]): [Item, ...Item[]] {
  if (first === undefined) throw new RangeError('an empty list');
  return [first, ...others];
}
