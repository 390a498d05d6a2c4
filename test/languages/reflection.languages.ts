import assert from 'node:assert/strict';
import { join } from 'node:path';
import { serviceOf, SERVICE_NAMES } from '../../libs/wire/protos.js';
import { projectRoot } from '../support/root.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { after, before, test } from '../support/testing.js';
import { environment, GO_UNAVAILABLE, pythonWith, ran } from './place.js';

/** The tools of others read the interface by reflection alone. */

const GRPCURL = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4';
const HEALTH_PROBE = 'github.com/grpc-ecosystem/grpc-health-probe@v0.4.63';

let service: TestService;
before(async () => {
  service = await startService();
});
after(() => service.stop());

test('Python reads every service, the details of an error, and health', async (t) => {
  const python = await pythonWith(join(projectRoot, 'test/languages/requirements.txt'));
  if ('unavailable' in python) return t.skip(python.unavailable);
  const script = join(projectRoot, 'test/languages/reflect.py');
  const args = [service.server.grpc, service.tokens.host, join(projectRoot, 'proto')];
  const { code, out, err } = await ran(
    [join(python.venv, 'bin', 'python'), script, ...args].join(' '),
    environment(service, ''),
  );
  assert.equal(code, 0, err);
  const read: Answered = JSON.parse(out);
  for (const name of SERVICE_NAMES)
    assert.deepEqual(read.services[`sallyport.v1.${name}`].sort(), Object.keys(serviceOf(name)).sort());
  assert.deepEqual(read.details, [
    ['google.rpc.ErrorInfo', 'malformed_request'],
    ['google.rpc.BadRequest', ''],
  ]);
  assert.deepEqual([read.serving, read.same], [true, [true, true]]);
});

test('grpcurl and grpc-health-probe ask by reflection, and show the details of an error', async (t) => {
  const env = environment(service, '');
  const grpcurl = (args: string) => ran(`go run ${GRPCURL} -plaintext ${args}`, env);
  const { grpc } = service.server;
  const listed = await grpcurl(`${grpc} list`);
  if (listed.code !== 0 && GO_UNAVAILABLE.test(listed.err)) return t.skip(`Go cannot be had here: ${listed.err}`);
  assert.equal(listed.code, 0, listed.err);
  assert.match(listed.out, /^sallyport\.v1\.Registry$/m);
  const health = await grpcurl(`-d '{"service":""}' ${grpc} grpc.health.v1.Health/Check`);
  assert.match(health.out, /"status": "SERVING"/, health.err);
  const token = `-H 'authorization: Bearer ${service.tokens.host}'`;
  const wrong = await grpcurl(`${token} -d '{"agent":"a"}' ${grpc} sallyport.v1.Tasks/Open`);
  assert.match(wrong.err, /"@type": "type\.googleapis\.com\/google\.rpc\.ErrorInfo"[^]*"reason": "malformed_request"/);
  assert.match(wrong.err, /"field": "\/user"/);
  const probe = await ran(`go run ${HEALTH_PROBE} -addr ${grpc}`, env);
  assert.equal(probe.code, 0, probe.err);
});
