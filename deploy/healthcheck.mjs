// The health check of the image: exits with 0 only if the service in this container could allow a call. It asks the port
// of SALLYPORT_HTTP on this machine, over TLS if the service has a certificate. It need not verify that certificate.
import { get as getPlain } from 'node:http';
import { get as getTls } from 'node:https';

const { SALLYPORT_HTTP: address = '127.0.0.1:7070', SALLYPORT_TLS_CERT: certificate } = process.env;
const [, name, port] = /^(.*):(\d+)$/.exec(address) ?? [];
const everywhere = ['0.0.0.0', '[::]', '*', ''].includes(name ?? '');
const host = everywhere ? '127.0.0.1' : name.replace(/^\[|\]$/g, '');
const get = certificate === undefined ? getPlain : getTls;

const request = get({ host, port, path: '/health/ready', rejectUnauthorized: false, timeout: 4000 }, (answer) => {
  answer.resume().on('end', () => process.exit(answer.statusCode === 200 ? 0 : 1));
});
request.on('error', () => process.exit(1)).on('timeout', () => process.exit(1));
