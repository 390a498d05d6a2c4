import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { get, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { GrpcHost } from '../grpc/client.js';
import { selfSigned } from '../demo/certificate.js';
import { tokensOf } from '../support/service.js';
import { ended, jsonLines, listening, place, until, type LogLine, type Program } from './child.js';
import { test, type TestContext } from '../support/testing.js';

/** Certificates and secrets are replaced under a running service, as a renewal or Kubernetes does it. */

type Pair = ReturnType<typeof selfSigned>;

/** A folder with a pair behind a link that changes in one step, as a mounted secret of Kubernetes. */
function secretFolder(t: TestContext, first: Pair) {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-secret-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const link = join(folder, 'current');
  let versions = 0;
  const swap = (pair: Pair): void => {
    versions += 1;
    const version = join(folder, `version-${versions}`);
    mkdirSync(version);
    writeFileSync(join(version, 'cert.pem'), pair.cert);
    writeFileSync(join(version, 'key.pem'), pair.key);
    symlinkSync(version, `${link}.new`);
    renameSync(`${link}.new`, link);
  };
  swap(first);
  const [cert, key] = [join(link, 'cert.pem'), join(link, 'key.pem')];
  return { folder, cert, key, swap, env: { SALLYPORT_TLS_CERT: cert, SALLYPORT_TLS_KEY: key } };
}

const fingerprint = ({ cert }: Pair): string => new X509Certificate(cert).fingerprint256;

/** The certificate that a new connection gets. */
function servedAt(address: string, alpn: string): Promise<string> {
  const { hostname, port } = new URL(`tcp://${address}`);
  return new Promise((resolve, reject) => {
    const options = { host: hostname, port: Number(port), rejectUnauthorized: false, ALPNProtocols: [alpn] };
    const socket: TLSSocket = connect(options, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

const asked = (url: string, options: RequestOptions) =>
  new Promise<IncomingMessage>((resolve, reject) =>
    get(url, { agent: false, ...options }, resolve).once('error', reject),
  );

async function textAt(url: string, options: RequestOptions): Promise<string> {
  let text = '';
  for await (const chunk of (await asked(url, options)).setEncoding('utf8')) text += chunk;
  return text;
}

const lineWith = (program: Program, fits: (line: LogLine) => boolean) =>
  until(program, () => jsonLines(program).find(fits));

test('a renewed certificate is served without a restart, and no watch ends', async (t) => {
  const [first, second] = [selfSigned(), selfSigned()];
  const secret = secretFolder(t, first);
  const { dataDir, launch } = place(t);
  const program = launch({ env: secret.env });
  const url = await listening(program);
  const { http, grpc } = await lineWith(program, ({ msg }) => msg === 'ready');
  const tokens = tokensOf(dataDir);
  const authorization = `Bearer ${tokens.host}`;
  const watch = await asked(`${url}/v1/directives/watch`, { ca: first.cert, headers: { authorization } });
  assert.equal(watch.statusCode, 200);
  let heard = '';
  watch.setEncoding('utf8').on('data', (text: string) => (heard += text));
  const host = new GrpcHost({ tokens, server: { grpc: String(grpc) } }, secret.cert);
  t.after(() => host.close());
  const beats = host.watch('host');
  assert.equal((await beats.next())?.epoch, 0);

  secret.swap(second);
  const { reloaded, certificateExpiresAt } = await lineWith(program, ({ msg }) => msg === 'reloaded');
  assert.deepEqual([reloaded, certificateExpiresAt], [['certificate'], '2049-12-31T23:59:59.000Z']);
  assert.equal(await servedAt(String(http), 'http/1.1'), fingerprint(second));
  assert.equal(await servedAt(String(grpc), 'h2'), fingerprint(second));
  const before = heard.length;
  await until(program, () => (heard.length > before && !watch.closed ? true : undefined));
  for (let each = 0; each < 2; each += 1) assert.equal((await beats.next())?.epoch, 0);
  const metrics = await textAt(`${url}/metrics`, { ca: second.cert });
  const leftS = Number(/^sallyport_tls_certificate_expiry_seconds (\S+)$/m.exec(metrics)?.[1]);
  assert.ok(leftS > 0 && leftS < Date.parse('2049-12-31T23:59:59Z') / 1000);
  watch.destroy();
  program.kill('SIGTERM');
  assert.deepEqual(await ended(program), { code: 0, signal: null });
  assert.equal(program.stderr(), '');
});

test('a pair that does not fit keeps the old one, says so, and is tried again', async (t) => {
  const [first, second] = [selfSigned(), selfSigned()];
  const secret = secretFolder(t, first);
  const program = place(t).launch({ env: secret.env });
  await listening(program);
  const { http, grpc } = await lineWith(program, ({ msg }) => msg === 'ready');
  writeFileSync(secret.cert, second.cert);
  const { level, reasons } = await lineWith(program, ({ msg }) => msg.startsWith('not reloaded'));
  assert.equal(level, 'warn');
  assert.match(String(reasons), /^certificate: SALLYPORT_TLS_KEY is not the key of/);
  assert.equal(await servedAt(String(http), 'http/1.1'), fingerprint(first));
  assert.equal(await servedAt(String(grpc), 'h2'), fingerprint(first));
  // Asked for by a signal, it says so again.
  program.kill('SIGHUP');
  await until(program, () =>
    jsonLines(program).filter(({ msg }) => msg.startsWith('not')).length === 2 ? 1 : undefined,
  );
  writeFileSync(secret.key, second.key);
  await lineWith(program, ({ msg }) => msg === 'reloaded');
  assert.equal(await servedAt(String(http), 'http/1.1'), fingerprint(second));
  assert.equal(await servedAt(String(grpc), 'h2'), fingerprint(second));
});

test('the authority of the brokers is read again too, for the next connection to them', async (t) => {
  const [wrong, right] = [selfSigned(), selfSigned()];
  const { folder } = secretFolder(t, right);
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, wrong.cert);
  let heard = false;
  const sockets = new Set<TLSSocket>();
  const broker = createServer({ key: right.key, cert: right.cert }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('data', () => (heard = true));
  });
  broker.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    broker.close();
  });
  const { port } = broker.address() as AddressInfo;
  const program = place(t).launch({
    env: { SALLYPORT_KAFKA_BROKERS: `127.0.0.1:${port}`, SALLYPORT_KAFKA_TLS: ca },
  });
  await lineWith(
    program,
    ({ msg, reason }) => msg === 'not sent to Kafka' && /certificate|signature/i.test(String(reason)),
  );
  assert.equal(heard, false);
  writeFileSync(ca, right.cert);
  program.kill('SIGHUP');
  const { reloaded } = await lineWith(program, ({ msg }) => msg === 'reloaded');
  assert.deepEqual(reloaded, ['kafka']);
  await until(program, () => (heard ? true : undefined));
});
