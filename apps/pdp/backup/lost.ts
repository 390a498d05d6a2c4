import type { KeyObject } from 'node:crypto';
import {
  DirectivesAfter,
  EventsAfter,
  type KnownUpTo,
  type LaterDirectives,
} from '../../../libs/backup/issued-after.js';
import type { Manifest } from '../../../libs/backup/manifest.js';
import { DIRECTIVES_TOPIC } from '../../../libs/feed/kafka/kafka-feed.js';
import { reasonOf, type KafkaConnection } from '../../../libs/kafka/client.js';
import { readTopic } from '../../../libs/kafka/read-topic.js';
import { sourceOf } from '../../../libs/relay/cloud-event.js';
import { EVENTS_TOPIC } from '../../../libs/relay/outlets.js';

/** The part of the topics that a backup lacks: what happened between the backup and the loss. */
export interface Lost {
  readonly directives: LaterDirectives | Unread;
  /** Events by `ce_type`. */
  readonly events: Readonly<Record<string, number>> | Unread;
}

/** The brokers or the topic could not be read, in words for an operator. */
export interface Unread {
  readonly unread: string;
}

export const isRead = <Found extends object>(found: Found | Unread): found is Found => !('unread' in found);

const GROUP = 'sallyport-relay';

/** Never rejects: a restore must not depend on the brokers. */
export async function lostSince(
  { incarnation, epoch, head }: Manifest,
  feedKey: { readonly kid: string; readonly publicKey: KeyObject },
  connection: KafkaConnection,
): Promise<Lost> {
  const known: KnownUpTo = { incarnation, epoch, head: BigInt(head) };
  const directives = new DirectivesAfter(known, new Map([[feedKey.kid, feedKey.publicKey]]));
  const events = new EventsAfter(known, sourceOf(feedKey.kid, incarnation));
  return {
    directives: await read(() => readTopic(connection, DIRECTIVES_TOPIC, GROUP, (each) => directives.take(each))).then(
      (fault) => fault ?? directives.found(),
    ),
    events: await read(() => readTopic(connection, EVENTS_TOPIC, GROUP, (each) => events.take(each))).then(
      (fault) => fault ?? events.counts(),
    ),
  };
}

async function read(work: () => Promise<void>): Promise<Unread | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { unread: reasonOf(error) };
  }
}
