import { openApi } from '../../../libs/contract/openapi.js';
import { OPERATIONS } from '../../../libs/contract/operations.js';
import { VERSION } from '../../../libs/kernel/version.js';
import { ownPort } from '../../../libs/threads/serve.js';
import { asyncApiOf } from './async-api.js';
import type { Texts } from './documents.js';
import type { OpenApi } from './open-api.js';
import { pageOf } from './page.js';

/** The thread that makes the descriptions of the service, posts them and ends. */

const http = JSON.stringify(openApi(OPERATIONS, VERSION));
const kafka = asyncApiOf(VERSION);
ownPort().postMessage({
  openApi: http,
  asyncApi: JSON.stringify(kafka),
  page: pageOf(JSON.parse(http) as OpenApi, kafka),
} satisfies Texts);
