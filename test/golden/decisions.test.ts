import { expecting } from '../support/world.js';
import { goldenDecisions } from './runner.js';

goldenDecisions('golden decisions', async (service, who, request, headers) =>
  expecting(200, await service.call(who, 'POST', '/v1/calls/authorize', request, headers)),
);
