import assert from 'node:assert/strict';
import { Metadata, Server, ServerCredentials, status, type handleUnaryCall } from '@grpc/grpc-js';
import { messageOf, serviceOf } from '../../wire/protos.js';
import { ServiceError } from './client.js';
import { askOverGrpc } from './grpc.js';
import { test, type TestContext } from '../../../test/support/testing.js';

/** A service of which every answer to `Tasks/Get` is the same. */
async function serviceThat(t: TestContext, get: handleUnaryCall<object, object>) {
  const server = new Server();
  const { Get } = serviceOf('Tasks');
  assert.ok(Get !== undefined);
  server.addService({ Get: { ...Get, responseSerialize: (bytes: object) => bytes as Buffer } }, { Get: get });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const { ask, close } = askOverGrpc({ address: `127.0.0.1:${port}`, token: () => 'token' });
  t.after(() => {
    close();
    server.forceShutdown();
  });
  return () => ask({ method: 'GET', path: '', rpc: 'Tasks/Get', message: {} }, AbortSignal.timeout(5000));
}

const failing = (code: string) => (error: unknown) => error instanceof ServiceError && error.code === code;

test('an answer that is not in the shape of the proto rejects, and ends no process', async (t) => {
  const task = messageOf('sallyport.v1.Task');
  for (const attributes of ['', '{"a":']) {
    const message = { user: { id: 'ada', attributes: Buffer.from(attributes) } };
    const asked = await serviceThat(t, (_, answer) => answer(null, task.serialize(message)));
    await assert.rejects(asked(), failing('unintelligible'));
  }
});

test('details of an error that cannot be read leave an error without its reason', async (t) => {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from([0x1a, 0x7f, 0xff]));
  const asked = await serviceThat(t, (_, answer) => answer({ code: status.NOT_FOUND, details: 'no', metadata }));
  await assert.rejects(asked(), failing('unreachable'));
});
