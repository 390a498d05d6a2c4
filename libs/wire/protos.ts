import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  loadSync,
  type MessageTypeDefinition,
  type Options,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';

/** The proto files. They are at the root of the sources, or next to the compiled package of the SDK. */
const PROTO_DIRS = ['../proto', '../../../proto'].map((path) => join(import.meta.dirname, path));
const PACKAGE = 'sallyport.v1';

export const SERVICE_NAMES = ['Decisions', 'Tasks', 'Directives', 'Registry', 'Approvals'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export type MessageType = MessageTypeDefinition<object, object>;

const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true } as const;

let loaded: PackageDefinition | undefined;

/**
 * Everything that our proto files define, and the details of Google's error model. An `optional` field without a value is
 * absent; any other has its default. Throws if the files are missing: the installation is incomplete.
 */
export function protos(): PackageDefinition {
  loaded ??= load(
    ['sallyport/v1/sallyport.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
    OPTIONS,
  );
  return loaded;
}

/** The services of a proto file of others, by their full names. A `oneof` is the name of its field that is set. */
export function servicesIn(path: string): Readonly<Record<string, ServiceDefinition>> {
  const all = Object.entries(load([path], { ...OPTIONS, oneofs: true }));
  // A message or an enum has a format.
  return Object.fromEntries(all.filter(([, type]) => !('format' in type))) as Record<string, ServiceDefinition>;
}

/** All proto files as a compiler has read them: a `google.protobuf.FileDescriptorSet`. Only the service has it. */
export const descriptorSet = (): Uint8Array => readFileSync(join(folder(), 'descriptors.binpb'));

export const fullName = (name: string): string => `${PACKAGE}.${name}`;

export const serviceOf = (name: ServiceName): ServiceDefinition => protos()[fullName(name)] as ServiceDefinition;

/** A message type of any package by its full name. */
export const messageOf = (fullName: string): MessageType => protos()[fullName] as MessageType;

/** The message types of our own package by their names in it. */
export const messageNames = (): string[] =>
  Object.entries(protos())
    .filter(([name, { format }]) => name.startsWith(`${PACKAGE}.`) && typeof format === 'string')
    .map(([name]) => name.slice(PACKAGE.length + 1));

function load(paths: readonly string[], options: Options): PackageDefinition {
  return loadSync([...paths], { ...options, includeDirs: [folder()] });
}

function folder(): string {
  const found = PROTO_DIRS.find(existsSync);
  if (found === undefined) throw new Error(`no proto files in ${PROTO_DIRS.join(' or ')}`);
  return found;
}
