import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  loadSync,
  type MessageTypeDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';

/** The proto files are not compiled. They are at the root of the sources, or next to the compiled package of the SDK. */
const PROTO_DIRS = ['../proto', '../../../proto'].map((path) => join(import.meta.dirname, path));
const PACKAGE = 'sallyport.v1';

export const SERVICE_NAMES = ['Decisions', 'Tasks', 'Directives'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export type MessageType = MessageTypeDefinition<object, object>;

let loaded: PackageDefinition | undefined;

/**
 * Everything that the proto files define. An `optional` field without a value is absent; any other has its default. Throws
 * if the files are missing: the installation is incomplete.
 */
export function protos(): PackageDefinition {
  if (loaded !== undefined) return loaded;
  const folder = PROTO_DIRS.find(existsSync);
  if (folder === undefined) throw new Error(`no proto files in ${PROTO_DIRS.join(' or ')}`);
  loaded = loadSync(['sallyport/v1/sallyport.proto', 'google/rpc/status.proto'], {
    includeDirs: [folder],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
  });
  return loaded;
}

export const fullName = (name: string): string => `${PACKAGE}.${name}`;

export const serviceOf = (name: ServiceName): ServiceDefinition => protos()[fullName(name)] as ServiceDefinition;

/** A message type of any package by its full name. */
export const messageOf = (fullName: string): MessageType => protos()[fullName] as MessageType;

/** The message types of our own package by their names in it. */
export const messageNames = (): string[] =>
  Object.entries(protos())
    .filter(([name, { format }]) => name.startsWith(`${PACKAGE}.`) && typeof format === 'string')
    .map(([name]) => name.slice(PACKAGE.length + 1));
