import assert from 'node:assert/strict';
import type { ServerEvidence } from '../calls/events.js';
import type { ServerExpectation } from '../capability/manifest.js';
import { compareServer } from './server-identity.js';
import { test } from '../../test/support/testing.js';

/** expected | observed | result */
const IDENTITIES: readonly [ServerExpectation, ServerEvidence, string][] = [
  [{ method: 'package', integrity: 'i' }, { method: 'package', integrity: 'i' }, 'verified'],
  [{ method: 'package', integrity: 'i' }, { method: 'package', integrity: 'i', command: 'any' }, 'verified'],
  [{ method: 'package', integrity: 'i' }, { method: 'package', integrity: 'j' }, 'mismatch'],
  [{ method: 'package', integrity: 'i' }, { method: 'package' }, 'mismatch'],
  [{ method: 'package', integrity: 'i', command: 'c' }, { method: 'package', integrity: 'i' }, 'mismatch'],
  [{ method: 'package', integrity: 'i' }, { method: 'tls', integrity: 'i' }, 'mismatch'],
  [{ method: 'package', integrity: 'i' }, { method: 'none', integrity: 'i' }, 'unauthenticated'],
  [{ method: 'tls', url: 'u', spki: 's' }, { method: 'tls', url: 'u', spki: 's' }, 'verified'],
  [{ method: 'tls', url: 'u', spki: 's' }, { method: 'tls', url: 'u' }, 'mismatch'],
  [{ method: 'spiffe', id: 'a' }, { method: 'spiffe', id: 'a' }, 'verified'],
  [{ method: 'spiffe', id: 'a' }, { method: 'spiffe', id: 'b' }, 'mismatch'],
  [{ method: 'mtls', subject: 'a' }, { method: 'mtls', subject: 'a' }, 'verified'],
  [{ method: 'oauth-resource', resource: 'a' }, { method: 'oauth-resource', resource: 'a' }, 'verified'],
  [{ method: 'none' }, { method: 'none' }, 'unauthenticated'],
  [{ method: 'none' }, { method: 'package', integrity: 'i' }, 'unauthenticated'],
];
for (const [expected, seen, result] of IDENTITIES) {
  test(`${JSON.stringify(seen)} where ${JSON.stringify(expected)} is expected is ${result}`, () => {
    assert.equal(compareServer(expected, seen), result);
  });
}
