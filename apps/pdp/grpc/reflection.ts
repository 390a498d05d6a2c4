import type { Server, ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import type { OpenCall } from '../overload/grpc.js';

type ReflectionCall = ServerDuplexStream<object, object>;

type Serve = (call: ReflectionCall) => void;

/**
 * Server reflection for anyone. The library answers every question, even if nobody reads the answers. Here the next
 * question waits until the client has taken the previous answer.
 */
export function serveReflection(
  server: Server,
  shown: PackageDefinition,
  openOf: (call: Pick<ReflectionCall, 'metadata'>) => OpenCall,
): void {
  const paced = (serve: Serve) => (call: ReflectionCall) => {
    const open = openOf(call);
    const write = call.write.bind(call) as (answer: object, done: () => void) => boolean;
    call.write = (answer: object): boolean => {
      open.pause();
      const taken = open.answering();
      return write(answer, () => {
        taken();
        open.resume();
      });
    };
    serve(call);
  };
  new ReflectionService(shown).addToServer({
    addService(definition, implementation: UntypedServiceImplementation) {
      const handlers = Object.entries(implementation).map(([name, serve]) => [name, paced(serve as Serve)]);
      server.addService(definition, Object.fromEntries(handlers) as UntypedServiceImplementation);
    },
  });
}
