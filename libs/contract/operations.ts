import * as approvals from './approvals.js';
import * as audit from './audit.js';
import * as bundle from './bundle.js';
import * as calls from './calls.js';
import * as directives from './directives.js';
import * as docs from './docs.js';
import * as exposure from './exposure.js';
import * as health from './health.js';
import type { Operation } from './operation.js';
import * as policies from './policies.js';
import * as principals from './principals.js';
import * as publishers from './publishers.js';
import * as responses from './responses.js';
import * as retention from './retention.js';
import * as registry from './registry.js';
import * as sample from './sample.js';
import * as signers from './signers.js';
import * as tasks from './tasks.js';
import * as transparency from './transparency.js';

const isOperation = (value: unknown): value is Operation =>
  typeof value === 'object' && value !== null && 'path' in value && 'answers' in value;

/** Every operation of the service, in the order of the documentation. A noun that is missing here has no routes. */
export const OPERATIONS: readonly Operation[] = [
  tasks,
  calls,
  approvals,
  responses,
  directives,
  registry,
  signers,
  publishers,
  policies,
  principals,
  audit,
  bundle,
  sample,
  exposure,
  retention,
  transparency,
  health,
  docs,
]
  .flatMap((noun) => Object.values(noun))
  .filter(isOperation);
