/** The next step for an operator who got no answer, by the code of the failure (Node, OpenSSL, undici). */
export function nextStep(server: URL, code: string): string {
  if (CERTIFICATE.has(code)) {
    return `This machine does not know the issuer of the certificate. Set NODE_EXTRA_CA_CERTS to a file with it, as PEM.`;
  }
  const step = OTHERS[code];
  if (step !== undefined) return step;
  if (server.protocol === 'https:')
    return PLAIN.has(code) ? `That port has no TLS: use http://${server.host}.` : RUNNING;
  return CLOSED.has(code) ? `If that port has TLS, use https://${server.host}. ${RUNNING}` : RUNNING;
}

const RUNNING = 'Is it running (npm start), and is --server right?';

/** The issuer of the certificate is not among those that Node knows (OpenSSL `X509_V_ERR_*`). */
const CERTIFICATE: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

const OTHERS: Readonly<Record<string, string | undefined>> = {
  CERT_HAS_EXPIRED: 'The certificate of the service has expired.',
  CERT_NOT_YET_VALID: 'The certificate of the service is not valid yet: compare the clocks.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate is for another name: --server needs a name that it holds.',
};

/** A port with TLS closes a connection that begins without it. */
const CLOSED: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** An answer without TLS to a connection with it. */
const PLAIN: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'EPROTO',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
]);
