import { defined } from '../kernel/defined.js';
import type { EventOf } from '../streams/catalogue.js';
import { managed, ACTIVITY } from './control.js';
import { countsOf } from './labels.js';
import type { Mapped } from './ocsf.js';
import { entity, endUser } from './parts.js';

/** Who looked at evidence, and what was destroyed or archived. */

export const taskShredded = (event: EventOf<'TaskShredded'>): Mapped =>
  managed(event, ACTIVITY.delete, 'medium', 'The content of a task was shredded.', {
    ...entity('content of a task', event.data.taskId),
    status_code: event.data.cause,
  });

export const userErased = (event: EventOf<'UserErased'>): Mapped => {
  const user = endUser(event.data.pseudonym);
  return managed(event, ACTIVITY.delete, 'medium', 'A user was erased.', {
    entity: { uid: user['uid'], type: 'User', type_id: 2, user },
    unmapped: { tasks: event.data.shreddedTasks },
  });
};

/** A query may name a user, so only the kinds of requests are counted. */
export const evidenceRead = (event: EventOf<'EvidenceRead'>): Mapped => {
  const { by, what, count, from, to } = event.data;
  return managed({ actor: by }, ACTIVITY.read, 'informational', 'Evidence was read.', {
    ...entity('evidence', 'evidence'),
    count,
    start_time: Date.parse(from),
    end_time: Date.parse(to),
    unmapped: defined({ requests_listed: what.length, requests: countsOf(what.map(({ operation }) => operation)) }),
  });
};

export const tracesArchived = (event: EventOf<'TracesArchived'>): Mapped =>
  managed(event, [ACTIVITY.other[0], 'Archive'], 'low', 'Closed traces were archived.', {
    ...entity('traces', 'traces'),
    unmapped: {
      traces: event.data.archivedTraces,
      events: event.data.archivedEvents,
      archive_digest: event.data.digest,
      log_size: event.data.checkpoint.size,
    },
  });
