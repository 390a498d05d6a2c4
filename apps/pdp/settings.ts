import { resolve } from 'node:path';
import { z } from 'zod';
import { isLoopback } from '../../libs/kernel/loopback.js';
import { KAFKA_SETTINGS, readKafka, type KafkaSettings } from './kafka-settings.js';
import { LOG_LEVELS, type LogLevel } from './observability/logger.js';
import { setting, SettingsError, whole } from './setting.js';

export { SettingsError };

/**
 * Every setting of the service, once: its shape, its default, its purpose and its danger. The table in
 * docs/operate/settings.md is printed from here (`npm run docs:settings`), and a house test compares it.
 */
const endpoint = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'needs host:port')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'needs a port up to 65535');
export type Endpoint = z.infer<typeof endpoint>;

export const SETTINGS = {
  SALLYPORT_DATA: setting(
    z.string().min(1),
    './data',
    'Folder of everything that the service keeps: event log, keys, tokens of the first start.',
    'Whoever can read it can read the keys of all content; whoever can write it can rewrite history.',
  ),
  SALLYPORT_EVENT_LOG: setting(
    z.string().regex(/^sqlite:.+$/, 'needs sqlite:<file>'),
    undefined,
    'Where events are kept. Default: `sqlite:` and `sallyport.db` in the data folder.',
    'A network file system does not keep the promises of fsync and of locks that no allow without its record rests on.',
  ),
  SALLYPORT_HTTP: setting(
    endpoint,
    '127.0.0.1:7070',
    'Address of the HTTP interface.',
    'Tokens travel in it: another address than loopback needs the two TLS settings, or the start stops.',
  ),
  SALLYPORT_GRPC: setting(endpoint, '127.0.0.1:7071', 'Address of the gRPC interface.', 'As above.'),
  SALLYPORT_TLS_CERT: setting(
    z.string().min(1),
    undefined,
    'PEM file with the certificate chain of both interfaces.',
    'Only together with SALLYPORT_TLS_KEY.',
  ),
  SALLYPORT_TLS_KEY: setting(
    z.string().min(1),
    undefined,
    'PEM file with the private key of the certificate.',
    'Keep it readable for the service alone.',
  ),
  SALLYPORT_LEASE_MS: setting(
    whole(100, 60_000),
    '5000',
    'How long an allow holds, in milliseconds, and how long a host may go without news of directives.',
    'The longer, the later a host that is cut off stops by itself.',
  ),
  SALLYPORT_SKEW_MS: setting(
    whole(0, 10_000),
    '500',
    'How far the clock of a host may be from the service’s, in milliseconds: a lease counts as over only so long after its end.',
    'Smaller than it is in truth, and a host is taken for stopped while it still goes on. Hosts have to be given the same.',
  ),
  SALLYPORT_BODY_BYTES: setting(
    whole(1024, 16_777_216),
    '1048576',
    'Largest request body.',
    'Each request in flight may hold this much memory.',
  ),
  SALLYPORT_DEFINITION_BYTES: setting(
    whole(1024, 16_777_216),
    '4194304',
    'Largest body that carries a definition.',
    'As above.',
  ),
  SALLYPORT_RESPONSE_BYTES: setting(
    whole(1024, 16_777_216),
    '8388608',
    'Largest response of a server that is validated.',
    'As above; every response is kept, encrypted, with its envelope.',
  ),
  SALLYPORT_ARGUMENTS_BYTES: setting(
    whole(1024, 16_777_216),
    '262144',
    'Largest arguments of a call, as JSON.',
    'Validation and policies take time in proportion.',
  ),
  SALLYPORT_BODY_VALUES: setting(
    whole(100, 10_000_000),
    '20000',
    'Most JSON values of a request body, beside those of a definition, of arguments and of a response; past it 413.',
    'The service builds each value in memory: many small values cost more than their bytes.',
  ),
  SALLYPORT_DEFINITION_VALUES: setting(
    whole(100, 10_000_000),
    '20000',
    'Most JSON values of a definition.',
    'As above.',
  ),
  SALLYPORT_RESPONSE_VALUES: setting(
    whole(100, 10_000_000),
    '50000',
    'Most JSON values of a response.',
    'As above; validation takes time in proportion.',
  ),
  SALLYPORT_ARGUMENTS_VALUES: setting(
    whole(100, 10_000_000),
    '10000',
    'Most JSON values of the arguments of a call.',
    'The thread that decides looks at each of them.',
  ),
  SALLYPORT_CONTEXT_ITEMS: setting(whole(0, 10_000), '256', 'Most context items of a call.', 'As above.'),
  SALLYPORT_SCOPE_ENTRIES: setting(
    whole(1, 10_000),
    '200',
    'Most scope entries of a task.',
    'Each is looked at in each call.',
  ),
  SALLYPORT_JSON_DEPTH: setting(
    whole(8, 256),
    '64',
    'Deepest nesting of any JSON that is taken.',
    'Recursion is as deep.',
  ),
  SALLYPORT_HOST_REQUESTS_PER_S: setting(
    whole(0, 1_000_000),
    '0',
    'Requests a second of one host past which it gets 429; 0 sets no quota. What is about directives has as much again.',
    'Without a quota one host can take all there is.',
  ),
  SALLYPORT_HOST_BYTES_PER_HOUR: setting(
    whole(0, Number.MAX_SAFE_INTEGER),
    '0',
    'Bytes of request bodies of one host in an hour past which it gets 429; 0 sets no quota.',
    'What a host sends is kept: without a quota one host can fill the disk.',
  ),
  SALLYPORT_CALLS_IN_FLIGHT: setting(
    whole(1, 100_000),
    '1024',
    'Requests of hosts that are worked on at once (decisions, responses, outcomes, tasks); past it 429. Stops of any kind are not counted.',
    'The more, the longer each waits when more is asked than can be answered.',
  ),
  SALLYPORT_CALL_WAIT_MS: setting(
    whole(10, 60_000),
    '1000',
    'How long such a request may take, in milliseconds; while they take longer, new ones get 429.',
    'Shorter than what the disk needs for a commit, and hosts are refused for nothing.',
  ),
  SALLYPORT_AUDIT_QUERIES: setting(
    whole(1, 1000),
    '8',
    'Requests under `/v1/audit` that are worked on at once; past it 429.',
    'One answer may hold 64 MiB, and is kept until it has been read.',
  ),
  SALLYPORT_BODIES_BYTES: setting(
    whole(1_048_576, 17_179_869_184),
    '134217728',
    'Bytes of larger request bodies, of all clients together, that are held at once; past it 429. One principal gets half.',
    'Below twice the largest body, that body is never taken.',
  ),
  SALLYPORT_CONNECTIONS: setting(
    whole(8, 1_000_000),
    '4096',
    'Connections of each interface; past it the oldest goes that has not shown a token.',
    'Each is an open file: the limit of the process has to be higher than both together.',
  ),
  SALLYPORT_CLIENT_MS: setting(
    whole(500, 600_000),
    '30000',
    'How long a client may take to send a request, or to take an answer, in milliseconds; then its connection goes.',
    'Too short, and clients on slow lines never get a large request through.',
  ),
  SALLYPORT_GRPC_CALLS: setting(
    whole(4, 100_000),
    '512',
    'Calls over gRPC that are open at once, streams included; past it RESOURCE_EXHAUSTED. One host gets half.',
    'Each may hold a message of the largest size while it comes in.',
  ),
  SALLYPORT_WATCHES: setting(
    whole(2, 100_000),
    '2048',
    'Instances of hosts that watch directives at once, over HTTP and gRPC; past it 429. One host gets half.',
    'Each holds a connection or a stream of one: keep it below SALLYPORT_CONNECTIONS.',
  ),
  SALLYPORT_RESPONSE_MS: setting(
    whole(1000, 86_400_000),
    '3600000',
    'How long after its allow an answer of a server is delivered, in milliseconds; a later one is `rejected` as `late`.',
    'Longer, and what an operator takes for over still reaches an agent.',
  ),
  SALLYPORT_VALIDATION_MS: setting(
    whole(100, 60_000),
    '5000',
    'Processor time that reading and validating one response or definition may take, in milliseconds; past it a response is `rejected` as `too_costly`, and a proposal is a 400.',
    'Shorter than honest content needs on a slow machine, and that content is rejected.',
  ),
  SALLYPORT_VALIDATION_THREADS: setting(
    whole(2, 64),
    '2',
    'Threads that read and validate responses and definitions. One host gets half of them.',
    'Each may take 400 MB while it works on the largest content.',
  ),
  ...KAFKA_SETTINGS,
  SALLYPORT_LOG_LEVEL: setting(
    z.enum(LOG_LEVELS, 'needs a level from fatal to trace, or silent') satisfies z.ZodType<LogLevel, string>,
    'info',
    'Least level of the JSON lines on standard output: `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`.',
    'Above `error`, a request that could not be completed leaves no line.',
  ),
} as const;

type Parsed<Name extends keyof typeof SETTINGS> = z.infer<(typeof SETTINGS)[Name]['schema']>;

export interface Settings {
  readonly dataDir: string;
  readonly logFile: string;
  readonly http: Endpoint;
  readonly grpc: Endpoint;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly leaseMs: number;
  readonly skewMs: number;
  /** How long after its allow an answer may come. */
  readonly responseMs: number;
  readonly logLevel: LogLevel;
  /** Undefined: nothing is sent to Kafka. */
  readonly kafka: KafkaSettings | undefined;
  readonly limits: {
    readonly bodyBytes: number;
    readonly definitionBytes: number;
    readonly responseBytes: number;
    readonly argumentsBytes: number;
    readonly bodyValues: number;
    readonly definitionValues: number;
    readonly responseValues: number;
    readonly argumentsValues: number;
    readonly contextItems: number;
    readonly scopeEntries: number;
    readonly jsonDepth: number;
    readonly hostRequestsPerS: number;
    readonly hostBytesPerHour: number;
  };
  /** What may be under way at once. */
  readonly bounds: {
    readonly callsInFlight: number;
    readonly callWaitMs: number;
    readonly auditQueries: number;
    readonly bodiesBytes: number;
    readonly connections: number;
    readonly clientMs: number;
    readonly grpcCalls: number;
    readonly watches: number;
    readonly validationMs: number;
    readonly validationThreads: number;
  };
}

/** Names that the command line interface and the engine tests read; the service passes them over. */
const OF_OTHERS = /^SALLYPORT_(URL|TOKEN|TOKEN_FILE|TEST_.*)$/;

/** Reads the settings. Throws `SettingsError` at the first that is unknown, malformed or dangerous. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('SALLYPORT_') || Object.hasOwn(SETTINGS, name) || OF_OTHERS.test(name)) continue;
    throw new SettingsError(`${name} is not a setting; see docs/operate/settings.md`);
  }
  const read = <Name extends keyof typeof SETTINGS>(name: Name): Parsed<Name> | undefined => {
    const text = environment[name] ?? SETTINGS[name].default;
    if (text === undefined) return undefined;
    const parsed = SETTINGS[name].schema.safeParse(text);
    if (!parsed.success) throw new SettingsError(`${name}: ${parsed.error.issues[0]?.message ?? 'is malformed'}`);
    return parsed.data as Parsed<Name>;
  };
  const required = <Name extends keyof typeof SETTINGS>(name: Name): Parsed<Name> => read(name) as Parsed<Name>;
  const dataDir = resolve(required('SALLYPORT_DATA'));
  const http = required('SALLYPORT_HTTP');
  const grpc = required('SALLYPORT_GRPC');
  const cert = read('SALLYPORT_TLS_CERT');
  const key = read('SALLYPORT_TLS_KEY');
  if ((cert === undefined) !== (key === undefined)) {
    throw new SettingsError('SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY go together');
  }
  const tls = cert === undefined || key === undefined ? undefined : { cert, key };
  for (const [name, { host }] of Object.entries({ SALLYPORT_HTTP: http, SALLYPORT_GRPC: grpc })) {
    if (tls !== undefined || isLoopback(host)) continue;
    throw new SettingsError(`${name}: another address than loopback needs SALLYPORT_TLS_CERT and SALLYPORT_TLS_KEY`);
  }
  const logFile = read('SALLYPORT_EVENT_LOG')?.slice('sqlite:'.length) ?? `${dataDir}/sallyport.db`;
  return {
    dataDir,
    logFile: resolve(logFile),
    http,
    grpc,
    tls,
    leaseMs: required('SALLYPORT_LEASE_MS'),
    skewMs: required('SALLYPORT_SKEW_MS'),
    responseMs: required('SALLYPORT_RESPONSE_MS'),
    logLevel: required('SALLYPORT_LOG_LEVEL'),
    kafka: readKafka(read),
    limits: {
      bodyBytes: required('SALLYPORT_BODY_BYTES'),
      definitionBytes: required('SALLYPORT_DEFINITION_BYTES'),
      responseBytes: required('SALLYPORT_RESPONSE_BYTES'),
      argumentsBytes: required('SALLYPORT_ARGUMENTS_BYTES'),
      bodyValues: required('SALLYPORT_BODY_VALUES'),
      definitionValues: required('SALLYPORT_DEFINITION_VALUES'),
      responseValues: required('SALLYPORT_RESPONSE_VALUES'),
      argumentsValues: required('SALLYPORT_ARGUMENTS_VALUES'),
      contextItems: required('SALLYPORT_CONTEXT_ITEMS'),
      scopeEntries: required('SALLYPORT_SCOPE_ENTRIES'),
      jsonDepth: required('SALLYPORT_JSON_DEPTH'),
      hostRequestsPerS: required('SALLYPORT_HOST_REQUESTS_PER_S'),
      hostBytesPerHour: required('SALLYPORT_HOST_BYTES_PER_HOUR'),
    },
    bounds: {
      callsInFlight: required('SALLYPORT_CALLS_IN_FLIGHT'),
      callWaitMs: required('SALLYPORT_CALL_WAIT_MS'),
      auditQueries: required('SALLYPORT_AUDIT_QUERIES'),
      bodiesBytes: required('SALLYPORT_BODIES_BYTES'),
      connections: required('SALLYPORT_CONNECTIONS'),
      clientMs: required('SALLYPORT_CLIENT_MS'),
      grpcCalls: required('SALLYPORT_GRPC_CALLS'),
      watches: required('SALLYPORT_WATCHES'),
      validationMs: required('SALLYPORT_VALIDATION_MS'),
      validationThreads: required('SALLYPORT_VALIDATION_THREADS'),
    },
  };
}

/** The table of docs/operate/settings.md, in Markdown. */
export function settingsTable(): string {
  const rows = Object.entries(SETTINGS).map(
    ([name, { default: fallback, meaning, danger }]) =>
      `| \`${name}\` | ${fallback === undefined ? '–' : `\`${fallback}\``} | ${meaning} | ${danger} |`,
  );
  return ['| setting | default | what for | danger |', '|---|---|---|---|', ...rows].join('\n');
}
