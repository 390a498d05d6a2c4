import assert from 'node:assert/strict';
import { refused } from '../support/problems.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy, callBody, expecting, openTask, proposal } from '../support/world.js';
import { newCapability, scopeOf } from '../support/actors.js';
import { decide } from '../support/calls.js';
import { after, before, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await activatePolicy(service);
});
after(() => service.stop());

test('a number that a double holds exactly is taken, and another is refused with its place', async () => {
  const capability = await newCapability(service);
  const task = await openTask(service, { scope: scopeOf(capability) });
  const ask = (number: string) => {
    const body = JSON.stringify(
      callBody(task, { capability, operation: 'store', arguments: { deep: [{ n: 'HERE' }] } }),
    );
    return service.call('host', 'POST', '/v1/calls/authorize', body.replace('"HERE"', number));
  };
  for (const number of ['9223372036854775808', '-9223372036854775808', '18446744073709551616', '9223372036854776000']) {
    assert.equal(expecting(200, await ask(number)).decision, 'allow', number);
  }
  for (const number of ['9223372036854775807', '9007199254740993', '18446744073709551615', '1e400']) {
    const { detail, errors } = refused(400, 'malformed_request', await ask(number));
    assert.match(detail, /number/);
    assert.deepEqual(errors, [{ path: '/arguments/deep/0/n', message: 'a number that a double cannot hold exactly' }]);
  }
});

/** A capability with one tool that has this schema, and a task that may call it. */
async function taskWith(inputSchema: object): Promise<Answered> {
  const definition = { tools: [{ name: 'recall', inputSchema }] };
  const manifest = { ...proposal().manifest, operations: { recall: { effects: ['read'] } } };
  const capability = await newCapability(service, proposal('1.0.0', { definition, manifest }));
  return openTask(service, { scope: scopeOf(capability) });
}

test('the answer names faults in arguments by place and rule, and never by their value', async () => {
  const task = await taskWith({
    type: 'object',
    properties: {
      path: { type: 'string' },
      'a/b': { enum: ['x', 'y'] },
      to: {
        anyOf: [
          { type: 'string', maxLength: 3 },
          { type: 'object', required: ['id'] },
        ],
      },
      many: { type: 'array', items: { properties: { n: { type: 'number' } } } },
    },
    required: ['path'],
    additionalProperties: false,
  });
  const path = 'hunter2';
  for (const [args, errors] of [
    [{}, ['/path required']],
    [{ path: 2 }, ['/path type']],
    [{ path, pth: 1 }, ['/pth additionalProperties']],
    [{ path, 'a/b': 'hunter2' }, ['/a~1b enum']],
    [{ path, to: {} }, ['/to/id required', '/to type', '/to anyOf']],
    [{ path, many: [{ n: 1 }, { n: 'hunter2' }] }, ['/many/1/n type']],
    [{ path, ['n'.repeat(5000)]: 1 }, [' additionalProperties']],
  ] as const) {
    const denied = await decide(service, task, { arguments: args });
    assert.equal(denied.reason, 'arguments_invalid');
    const { evidence } = denied.checks.at(-1);
    const told = evidence.errors.map((error: Answered) => `${error.path} ${error.keyword}`);
    assert.deepEqual(told, errors);
    assert.match(evidence.schemaDigest, /^sha256:/);
    assert.doesNotMatch(JSON.stringify(denied), /hunter2/);
  }
  const wide = await taskWith({
    properties: {
      v: {
        oneOf: Array.from({ length: 40 }, (_, index) => ({
          const: index,
          minimum: index,
          title: `t${index}`,
          type: index % 2 === 0 ? 'string' : 'array',
        })),
      },
    },
  });
  const denied = await decide(service, wide, { arguments: { v: { a: 1 } } });
  assert.ok(denied.checks.at(-1).evidence.errors.length <= 8);
});

test('patterns of real servers, amounts with cents and exclusive bounds of draft 04 decide as they say', async () => {
  const task = await taskWith({
    $schema: 'http://json-schema.org/draft-04/schema#',
    type: 'object',
    properties: {
      nodeId: { type: 'string', pattern: '^I?\\d+[:|-]\\d+(?:;\\d+[:|-]\\d+)*$' },
      email: {
        pattern:
          "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$",
      },
      text: { pattern: '^[^]{1,10000}$' },
      amount: { multipleOf: 0.01, minimum: 0, exclusiveMinimum: true },
    },
  });
  const invalid = async (args: object) => {
    const { checks } = await decide(service, task, { arguments: args });
    // The filter may still take out the address, which is above the sensitivity of the version.
    return checks.find(({ check }: Answered) => check === 'arguments').evidence?.errors?.[0];
  };
  const amounts = Array.from({ length: 300 }, (_, index) => Number(`${index + 1}e-2`));
  for (const args of [
    { nodeId: '1:2;3-4' },
    { email: 'ada@example.com' },
    { text: 'x'.repeat(10_000) },
    ...amounts.map((amount) => ({ amount })),
  ]) {
    assert.equal(await invalid(args), undefined, JSON.stringify(args).slice(0, 60));
  }
  for (const [args, keyword] of [
    [{ nodeId: '1:2;' }, 'pattern'],
    [{ email: 'a..da@example.com' }, 'pattern'],
    [{ text: 'x'.repeat(10_001) }, 'pattern'],
    [{ amount: 0.015 }, 'multipleOf'],
    [{ amount: 0 }, 'exclusiveMinimum'],
  ] as const) {
    assert.equal((await invalid(args))?.keyword, keyword);
  }
});
