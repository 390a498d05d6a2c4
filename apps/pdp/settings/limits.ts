import { MAX_CONTEXT_ITEMS } from '../../../libs/calls/requests.js';
import { setting, whole } from './setting.js';

/** The largest request of each kind, and the quota of each host. */
export const LIMITS = {
  bodyBytes: setting(
    'SALLYPORT_BODY_BYTES',
    whole(1024, 16_777_216),
    '1048576',
    'Largest request body.',
    'Each request in flight may hold this much memory.',
  ),
  definitionBytes: setting(
    'SALLYPORT_DEFINITION_BYTES',
    whole(1024, 16_777_216),
    '4194304',
    'Largest body that carries a definition.',
    'As above.',
  ),
  responseBytes: setting(
    'SALLYPORT_RESPONSE_BYTES',
    whole(1024, 16_777_216),
    '8388608',
    'Largest response of a server that is validated.',
    'As above. Every response is kept, encrypted, with its envelope.',
  ),
  argumentsBytes: setting(
    'SALLYPORT_ARGUMENTS_BYTES',
    whole(1024, 16_777_216),
    '262144',
    'Largest arguments of a call, as JSON.',
    'Validation and policies take time in proportion.',
  ),
  bodyValues: setting(
    'SALLYPORT_BODY_VALUES',
    whole(100, 10_000_000),
    '20000',
    'Most JSON values of a request body; above it 413. Definitions, arguments and responses have limits of their own.',
    'The service builds each value in memory: many small values cost more than their bytes.',
  ),
  definitionValues: setting(
    'SALLYPORT_DEFINITION_VALUES',
    whole(100, 10_000_000),
    '20000',
    'Most JSON values of a definition.',
    'As above.',
  ),
  responseValues: setting(
    'SALLYPORT_RESPONSE_VALUES',
    whole(100, 10_000_000),
    '50000',
    'Most JSON values of a response.',
    'As above. Validation takes time in proportion.',
  ),
  argumentsValues: setting(
    'SALLYPORT_ARGUMENTS_VALUES',
    whole(100, 10_000_000),
    '10000',
    'Most JSON values of the arguments of a call.',
    'The thread that decides looks at each of them.',
  ),
  contextItems: setting(
    'SALLYPORT_CONTEXT_ITEMS',
    whole(0, MAX_CONTEXT_ITEMS),
    '256',
    'Most context items of a call.',
    'As above.',
  ),
  scopeEntries: setting(
    'SALLYPORT_SCOPE_ENTRIES',
    whole(1, 10_000),
    '200',
    'Most scope entries of a task.',
    'Each call looks at each of them.',
  ),
  jsonDepth: setting(
    'SALLYPORT_JSON_DEPTH',
    whole(8, 256),
    '64',
    'Deepest nesting of any JSON that the service accepts.',
    'Recursion goes as deep.',
  ),
  hostRequestsPerS: setting(
    'SALLYPORT_HOST_REQUESTS_PER_S',
    whole(0, 1_000_000),
    '0',
    'Requests a second of one host; above it 429. 0 sets no quota. Requests about directives have the same quota again.',
    'Without a quota, one host can use the whole capacity.',
  ),
  hostBytesPerHour: setting(
    'SALLYPORT_HOST_BYTES_PER_HOUR',
    whole(0, Number.MAX_SAFE_INTEGER),
    '0',
    'Bytes of request bodies of one host in an hour; above it 429. 0 sets no quota.',
    'The service keeps the bodies that a host sends: without a quota, one host can fill the disk.',
  ),
};
