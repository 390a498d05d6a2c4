import { join } from 'node:path';
import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader';

/** The proto files stay with the sources and are not compiled. */
const PROTO_DIR = join(import.meta.dirname, '../../../../proto');
const PACKAGE = 'sallyport.v1';

/** Everything that the proto files define. What an `optional` field lacks is absent; the rest has its default. */
export const protos = loadSync(['sallyport/v1/sallyport.proto', 'google/rpc/status.proto'], {
  includeDirs: [PROTO_DIR],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
});

export const SERVICE_NAMES = ['Decisions', 'Tasks', 'Directives'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

export const fullName = (name: string): string => `${PACKAGE}.${name}`;

export const serviceOf = (name: ServiceName): ServiceDefinition => protos[fullName(name)] as ServiceDefinition;

export type MessageType = MessageTypeDefinition<object, object>;

/** A message type of any package by its full name. */
export const messageOf = (fullName: string): MessageType => protos[fullName] as MessageType;

/** The message types of our own package by their names in it. */
export const messageNames: readonly string[] = Object.entries(protos)
  .filter(([name, { format }]) => name.startsWith(`${PACKAGE}.`) && typeof format === 'string')
  .map(([name]) => name.slice(PACKAGE.length + 1));
