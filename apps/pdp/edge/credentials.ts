import type { IncomingMessage } from 'node:http';
import type { Metadata } from '@grpc/grpc-js';
import type { Credentials } from '../../../libs/authentication/authenticator.js';

/** The credentials of a request over HTTP. */
export const credentialsOf = ({ headers: { authorization } }: Pick<IncomingMessage, 'headers'>): Credentials => ({
  authorization,
});

/** The credentials of a call over gRPC. */
export function credentialsIn(metadata: Metadata): Credentials {
  const [authorization] = metadata.get('authorization');
  return { authorization: typeof authorization === 'string' ? authorization : undefined };
}
