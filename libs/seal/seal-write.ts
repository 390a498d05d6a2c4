import type { StreamWrite } from '../event-log/port.js';
import type { Instant } from '../kernel/time.js';
import { families } from '../streams/catalogue.js';
import { writeOf } from '../streams/facts.js';
import type { Sealing } from './messages.js';

const ACTOR = 'system:seal';

/** The write that makes a checkpoint the event with this revision of the stream `seal`. */
export const sealWrite = (revision: number, data: Sealing, time: Instant): StreamWrite =>
  writeOf(families.seal.stream(), revision - 1, [{ type: 'CheckpointSealed', data, actor: ACTOR, time }]);
