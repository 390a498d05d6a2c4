import { goldenDecisions } from '../golden/runner.js';
import { GrpcHost } from './client.js';

/** The same answers, records and digests for every golden case as over HTTP. */
goldenDecisions('golden decisions over gRPC', async (service, who, request, headers) => {
  const host = new GrpcHost(service);
  try {
    return await host.call(who, 'Decisions/Authorize', request, headers);
  } finally {
    host.close();
  }
});
