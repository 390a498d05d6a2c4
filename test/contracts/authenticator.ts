import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Authenticator, Credentials, Principal } from '../../libs/authentication/authenticator.js';
import type { Caller } from '../../libs/control/caller.js';
import type { HostRights } from '../../libs/principal/decider.js';
import type { Role } from '../../libs/vocabulary/words.js';
import { describe, test } from '../support/testing.js';

export interface AuthenticatorUnderTest {
  readonly authenticator: Authenticator;
  /** Adds a principal. Returns the credentials that it presents. */
  add(name: string, roles: readonly Role[], host?: HostRights): Promise<Credentials>;
  /** Replaces the credentials of a principal. Returns the new ones. */
  replace(name: string): Promise<Credentials>;
  remove(name: string): Promise<void>;
  /** Appends on behalf of a caller; false if its precondition does not hold. */
  append(caller: Caller): Promise<boolean>;
  dispose(): Promise<void>;
}

/** The meaning of the authenticator port. Every adapter runs all of it. */
export function authenticatorContract(name: string, make: () => Promise<AuthenticatorUnderTest>): void {
  const on = (title: string, body: (under: AuthenticatorUnderTest) => Promise<void>) =>
    test(title, async () => {
      const under = await make();
      try {
        await body(under);
      } finally {
        await under.dispose();
      }
    });

  describe(`authenticator contract: ${name}`, () => {
    on('finds each principal by its own credentials, with its roles and ceilings', async (under) => {
      const host = { agents: ['a'], capabilities: [] };
      const hank = await under.add('hank', ['host'], host);
      const ada = await under.add('ada', ['admin', 'auditor']);
      assert.deepEqual(shown(admitted(under, hank)), { name: 'hank', roles: ['host'], host });
      assert.deepEqual(shown(admitted(under, ada)), { name: 'ada', roles: ['admin', 'auditor'], host: undefined });
    });

    on('refuses everything else alike, and quotes none of it', async (under) => {
      const known = await under.add('hank', ['host']);
      const refusal = refused(under, {});
      assert.equal(refusal.code, 'unauthenticated');
      const text = fc.oneof(fc.string(), fc.base64String({ maxLength: 300 }));
      const anything = fc.oneof(
        text,
        text.map((token) => `Bearer ${token}`),
      );
      fc.assert(
        fc.property(anything, (authorization) => {
          fc.pre(authorization !== known.authorization);
          assert.deepEqual(refused(under, { authorization }), refusal);
        }),
      );
    });

    on('refuses replaced credentials, and takes the new ones', async (under) => {
      const old = await under.add('hank', ['host']);
      const before = admitted(under, old);
      assert.ok(under.authenticator.isCurrent(before));
      const renewed = await under.replace('hank');
      assert.deepEqual(refused(under, old), refused(under, {}));
      assert.ok(!under.authenticator.isCurrent(before));
      assert.ok(under.authenticator.isCurrent(admitted(under, renewed)));
    });

    on('refuses a removed principal', async (under) => {
      const credentials = await under.add('hank', ['host']);
      const before = admitted(under, credentials);
      await under.remove('hank');
      assert.deepEqual(refused(under, credentials), refused(under, {}));
      assert.ok(!under.authenticator.isCurrent(before));
    });

    on('an append rests on the credentials with which its caller was let in', async (under) => {
      const hank = admitted(under, await under.add('hank', ['host']));
      const ada = admitted(under, await under.add('ada', ['admin']));
      assert.ok(await under.append(hank));
      const renewed = await under.replace('hank');
      assert.ok(!(await under.append(hank)));
      assert.ok(await under.append(admitted(under, renewed)));
      await under.remove('ada');
      assert.ok(!(await under.append(ada)));
    });

    on('what it was let in with belongs to one principal', async (under) => {
      const hank = admitted(under, await under.add('hank', ['host']));
      await under.add('ada', ['admin']);
      assert.ok(!under.authenticator.isCurrent({ ...hank, name: 'ada' }));
      assert.ok(!under.authenticator.isCurrent({ ...hank, name: 'nobody' }));
      assert.ok(!(await under.append({ ...hank, name: 'ada' })));
    });
  });
}

const shown = ({ name, roles, host }: Principal) => ({ name, roles, host });

function admitted({ authenticator }: AuthenticatorUnderTest, credentials: Credentials): Principal {
  const result = authenticator.authenticate(credentials);
  if (!result.ok) throw new Error(`refused: ${result.error.detail}`);
  return result.value;
}

function refused({ authenticator }: AuthenticatorUnderTest, credentials: Credentials) {
  const result = authenticator.authenticate(credentials);
  if (result.ok) throw new Error(`let in as ${result.value.name}`);
  return result.error;
}
