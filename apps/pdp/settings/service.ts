import { resolve } from 'node:path';
import { z } from 'zod';
import { LOG_LEVELS } from '../observability/logger.js';
import { setting, whole } from './setting.js';

const endpoint = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'expected host:port')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'expected a port up to 65535');

/** The places of the data and the log, and the addresses of the service. */
export const PLACES = {
  dataDir: setting(
    'SALLYPORT_DATA',
    z
      .string()
      .min(1, 'expected a folder')
      .transform((path) => resolve(path)),
    './data',
    'Folder of all data: event log, keys, tokens of the first start.',
    'Readers of the folder can read the keys of all content; writers can rewrite history.',
  ),
  publicUrl: setting(
    'SALLYPORT_PUBLIC_URL',
    z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .refine((text) => !/[?#@]/.test(text), 'expected a URL without credentials, query and fragment')
      .transform((text) => text.replace(/\/+$/, '')),
    undefined,
    'Address under which consumers reach the service. `ce_dataschema` of Kafka records begins with it.',
    'None: nothing is sent there. Without it, `ce_dataschema` is a URN.',
  ),
  eventLog: setting(
    'SALLYPORT_EVENT_LOG',
    z
      .string()
      .regex(/^sqlite:.+$/, 'expected sqlite:<file>')
      .transform((text) => resolve(text.slice('sqlite:'.length))),
    undefined,
    'Where events are kept. Default: `sqlite:` and `sallyport.db` in the data folder.',
    'Never put it on a network file system: the durability promise depends on fsync and file locks, which those do not honour.',
  ),
  http: setting(
    'SALLYPORT_HTTP',
    endpoint,
    '127.0.0.1:7070',
    'Address of the HTTP interface.',
    'Requests carry tokens. An address other than loopback needs both TLS settings; without them the service does not start.',
  ),
  grpc: setting('SALLYPORT_GRPC', endpoint, '127.0.0.1:7071', 'Address of the gRPC interface.', 'As above.'),
  metrics: setting(
    'SALLYPORT_METRICS',
    z.literal('off').or(endpoint),
    '127.0.0.1:7072',
    'Address of the metrics for Prometheus, in plain HTTP; `off` for none. If only the default is in use, the service starts without it.',
    'Anyone who reaches it sees how busy the service is, and the names of hosts that it refused for load.',
  ),
  tlsCert: setting(
    'SALLYPORT_TLS_CERT',
    z.string().min(1, 'expected a file'),
    undefined,
    'PEM file with the certificate chain of both interfaces.',
    'Requires SALLYPORT_TLS_KEY.',
  ),
  tlsKey: setting(
    'SALLYPORT_TLS_KEY',
    z.string().min(1, 'expected a file'),
    undefined,
    'PEM file with the private key of the certificate.',
    'Only the service may be able to read it.',
  ),
};

export const SEALING = {
  logOrigin: setting(
    'SALLYPORT_LOG_ORIGIN',
    z.string().regex(/^[^\s+\p{Cc}]{1,200}$/u, 'expected a name without spaces and "+", as example.com/sallyport'),
    undefined,
    'Name of the log in its checkpoints, as `example.com/sallyport`. Default: `sallyport/` and the id of the first event.',
    'Verifiers know the log by this name. With another name, earlier checkpoints are of another log for them.',
  ),
  logPublic: setting(
    'SALLYPORT_LOG_PUBLIC',
    z.enum(['on', 'off']).transform((text) => text === 'on'),
    'off',
    'Whether checkpoint and tiles under `/log/` are served without a token.',
    'Anyone then sees hashes, and how many events there are and when. They show no event.',
  ),
  witnessDir: setting(
    'SALLYPORT_WITNESS_DIR',
    z
      .string()
      .min(1, 'expected a folder')
      .transform((text) => resolve(text)),
    undefined,
    'Folder for a second copy of each checkpoint. A log that is behind its copy, or differs from it, does not start.',
    'Keep it on another disk or machine: a copy next to the data folder is rolled back together with it.',
  ),
};

export const LEASES = {
  leaseMs: setting(
    'SALLYPORT_LEASE_MS',
    whole(100, 60_000),
    '5000',
    'How long an allow holds, in milliseconds, and how long a host may go without news of directives.',
    'The longer the lease, the later a host that is cut off stops on its own.',
  ),
  skewMs: setting(
    'SALLYPORT_SKEW_MS',
    whole(0, 10_000),
    '500',
    'Largest difference between the clocks of a host and of the service, in milliseconds. A lease counts as over only this long after its end.',
    'If set below the real difference, a host may be reported as stopped while it is still running. Configure hosts with the same value.',
  ),
  ackProof: setting(
    'SALLYPORT_ACK_PROOF',
    z.enum(['optional', 'required']),
    'optional',
    'Whether a host has to prove that it holds the state which it acknowledges.',
    'If optional, a host that repeats a root counts as having applied it. Propagation then shows it with `proven: false`.',
  ),
};

/** How long content is kept. */
export const RETENTION = {
  retainDays: setting(
    'SALLYPORT_RETAIN_PAYLOADS',
    whole(1, 36_500),
    undefined,
    'How many days after the end of a task its content is kept. Then its key is destroyed, and `TaskShredded` says so. Without it, content is kept until an admin erases it.',
    'The erasure cannot be undone, also if the setting was too small. Decisions and their proofs remain.',
  ),
};

export const LOGGING = {
  logLevel: setting(
    'SALLYPORT_LOG_LEVEL',
    z.enum(LOG_LEVELS, 'expected a level from fatal to trace, or silent'),
    'info',
    'Lowest level of the JSON lines on standard output: `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`.',
    'Above `error`, a request that could not be completed leaves no line.',
  ),
};
