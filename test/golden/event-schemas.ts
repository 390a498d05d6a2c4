import type { z } from 'zod';
import { families } from '../../libs/streams/catalogue.js';

/** The schema of the data of every event type there is, by the type's name. */
export const EVENT_SCHEMAS: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  Object.values(families).flatMap(({ types }) => Object.entries(types).map(([type, { schema }]) => [type, schema])),
);
