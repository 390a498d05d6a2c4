import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFileRegistry, fromBinary, toJson, type FileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import type { ServiceError } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import { servicesIn } from '../../libs/wire/protos.js';
import { projectRoot } from '../support/root.js';
import { startService, type Answered } from '../support/service.js';
import { test, type TestContext } from '../support/testing.js';
import { hostOf, type GrpcHost } from './client.js';

/** Anyone gets the files of the interface as a compiler wrote them, complete, and can read every answer with them. */

const SET = join(projectRoot, 'proto/descriptors.binpb');
const BASELINE = 'test/golden/proto/sallyport.v1.binpb';
const SERVICES = [
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
  'sallyport.v1.Approvals',
  'sallyport.v1.Decisions',
  'sallyport.v1.Directives',
  'sallyport.v1.Registry',
  'sallyport.v1.Tasks',
];
const VERSIONS = ['v1', 'v1alpha'] as const;

function buf(...args: readonly string[]): void {
  const program = join(projectRoot, 'node_modules/@bufbuild/buf/bin/buf');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  assert.equal(status, 0, `buf ${args.join(' ')}\n${stdout}${stderr}`);
}

async function started(t: TestContext): Promise<GrpcHost> {
  const service = await startService();
  t.after(() => service.stop());
  return hostOf(t, service);
}

/** Asks one stream of reflection, and gives its answers. */
async function reflected(host: GrpcHost, version: string, questions: readonly object[]): Promise<Answered[]> {
  const services = servicesIn(`grpc/reflection/${version}/reflection.proto`);
  const { ServerReflectionInfo: method } = services[`grpc.reflection.${version}.ServerReflection`] ?? {};
  const { path, requestSerialize, responseDeserialize } = method as MethodDefinition<object, object>;
  const call = host.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  for (const question of questions) call.write(question);
  call.end();
  const answers: Answered[] = [];
  for await (const answer of call) answers.push(answer);
  return answers;
}

const filesIn = (answer: Answered): Buffer[] => answer.file_descriptor_response?.file_descriptor_proto ?? [];

/** Reads files as a client does. Throws if one is malformed, or if something that it names is in none of them. */
function registryOf(answer: Answered): FileRegistry {
  const files = filesIn(answer).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  const [first] = files;
  assert.ok(first !== undefined);
  return createFileRegistry(first, (path) => files.find(({ name }) => name === path));
}

test('the descriptors are what a compiler makes of the proto files', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-descriptors-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const made = join(folder, 'made.binpb');
  buf('build', 'proto', '--as-file-descriptor-set', '--exclude-source-info', '-o', made);
  assert.ok(readFileSync(made).equals(readFileSync(SET)), 'run `npm run proto:descriptors`');
});

test('the proto files pass the linter and the formatter, and break no client of the baseline', () => {
  buf('lint', 'proto');
  buf('format', 'proto', '--path', 'proto/sallyport', '--diff', '--exit-code');
  buf('breaking', 'proto', '--against', BASELINE);
});

for (const version of VERSIONS) {
  test(`reflection ${version} gives every service its file with all that it imports`, async (t) => {
    const host = await started(t);
    const [list] = await reflected(host, version, [{ list_services: '*' }]);
    const names: string[] = list.list_services_response.service.map(({ name }: { name: string }) => name);
    assert.deepEqual(names, SERVICES);
    const answers = await reflected(
      host,
      version,
      names.map((name) => ({ file_containing_symbol: name })),
    );
    for (const [index, name] of names.entries()) {
      const service = registryOf(answers[index]).getService(name);
      assert.ok(service !== undefined, name);
      const served = service.methods.map(({ name }) => name).sort();
      const path = service.file.proto.name;
      const definition = name.startsWith('sallyport.') ? undefined : servicesIn(path)[name];
      if (definition !== undefined) assert.deepEqual(served, Object.keys(definition).sort());
    }
  });
}

test('reflection finds everything by its name, and each file as it was compiled', async (t) => {
  const host = await started(t);
  const compiled = fromBinary(FileDescriptorSetSchema, readFileSync(SET));
  const registry = createFileRegistry(compiled);
  const symbols = [...registry.files].flatMap((file) =>
    [...nestedTypes(file)].flatMap((type) => [
      type.typeName,
      ...(type.kind === 'message' ? type.fields.map(({ name }) => `${type.typeName}.${name}`) : []),
      ...(type.kind === 'service' ? type.methods.map(({ name }) => `${type.typeName}.${name}`) : []),
    ]),
  );
  assert.ok(symbols.length > 200);
  const bySymbol = await reflected(
    host,
    'v1',
    symbols.map((symbol) => ({ file_containing_symbol: symbol })),
  );
  for (const [index, answer] of bySymbol.entries()) assert.ok(filesIn(answer).length > 0, symbols[index]);
  const byName = await reflected(
    host,
    'v1',
    compiled.file.map(({ name }) => ({ file_by_filename: name })),
  );
  for (const [index, answer] of byName.entries()) {
    const [first, ...imports] = filesIn(answer).map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    assert.deepEqual(first, compiled.file[index]);
    assert.ok(first?.dependency.every((path) => imports.some(({ name }) => name === path)));
  }
});

test('reflection names what it does not have, and goes on', async (t) => {
  const host = await started(t);
  const answers = await reflected(host, 'v1', [
    { host: 'h', file_containing_symbol: 'sallyport.v1.Nothing' },
    { file_by_filename: 'nothing.proto' },
    { file_containing_extension: { containing_type: 'sallyport.v1.Beat', extension_number: 1000 } },
    { all_extension_numbers_of_type: 'sallyport.v1.Nothing' },
    { all_extension_numbers_of_type: 'sallyport.v1.Beat' },
    {},
  ]);
  assert.deepEqual(
    answers.map((answer) => answer.error_response?.error_code),
    [5, 5, 5, 5, undefined, 3],
  );
  assert.deepEqual(answers[0].original_request, {
    host: 'h',
    file_containing_symbol: 'sallyport.v1.Nothing',
    message_request: 'file_containing_symbol',
  });
  assert.deepEqual(answers[4].all_extension_numbers_response, {
    base_type_name: 'sallyport.v1.Beat',
    extension_number: [],
  });
});

test('what reflection shows is enough to read the details of an error', async (t) => {
  const host = await started(t);
  const error = await host.call('host', 'Tasks/Open', {}).catch((refused: unknown) => refused as ServiceError);
  const [details] = (error as ServiceError).metadata.get('grpc-status-details-bin');
  const types = ['google.rpc.Status', 'google.rpc.ErrorInfo', 'google.rpc.BadRequest'];
  const answers = await reflected(
    host,
    'v1',
    types.map((type) => ({ file_containing_symbol: type })),
  );
  const registry = createFileRegistry(...answers.map(registryOf));
  const status = registry.getMessage('google.rpc.Status');
  assert.ok(status !== undefined && Buffer.isBuffer(details));
  // A JSON of a status has each detail decoded; a type that is unknown would be an error.
  const shown = toJson(status, fromBinary(status, details), { registry }) as Answered;
  assert.deepEqual(shown.details[0], {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: 'malformed_request',
    domain: 'sallyport',
  });
  assert.equal(shown.details[1]['@type'], 'type.googleapis.com/google.rpc.BadRequest');
  assert.ok(shown.details[1].fieldViolations.length > 0);
});
