import { createSchemaValidator } from '../content/schema/schema-validator.js';
import { serveJobs } from '../offload/serve-jobs.js';
import {
  earlierPrints,
  filterApart,
  openContent,
  prepare,
  readResponse,
  requestPrints,
  seal,
  validate,
  warm,
  type ContentJob,
} from './content-jobs.js';

/** Limit of compiled schemas that each thread keeps: the most recently used ones. */
const MAX_SCHEMAS = 200;
const validator = createSchemaValidator({ maxCompiled: MAX_SCHEMAS });

/** Worker thread: does one job on content after another. */
serveJobs((message, emit) => {
  const job = message as ContentJob;
  switch (job.kind) {
    case 'warm':
      return warm();
    case 'read': {
      const read = readResponse(job);
      // The content stays on this thread: the caller needs only the id of its task.
      return read.ok ? { ok: true, value: { taskId: read.value.taskId } } : read;
    }
    case 'response':
      return validate(job, validator, emit);
    case 'seal':
      return seal(job);
    case 'open':
      return openContent(job);
    case 'proposal':
      return prepare(job);
    case 'prints':
      return requestPrints(job);
    case 'earlier':
      return earlierPrints(job);
    case 'filter':
      return filterApart(job, validator);
  }
});
