import { targetKey } from '../../../libs/directive/target.js';
import type { Manifest } from '../../../libs/backup/manifest.js';
import type { CheckedBackup } from './check.js';
import { isRead, type Lost } from './lost.js';

/** The lines that an operator reads. Texts of others are quoted as JSON, so that they cannot steer a terminal. */

export const placeText = ({ head, epoch, incarnation, createdAt }: Manifest): string =>
  `position ${head}, epoch ${epoch}, incarnation ${incarnation}, ${createdAt}`;

export function checkedText({ manifest, opened, shredded }: CheckedBackup): string[] {
  const lines = [`whole: ${placeText(manifest)}`, `content: ${opened} records decrypt`];
  if (shredded > 0) lines.push(`content: ${shredded} records have no key: it was shredded before the backup`);
  return lines;
}

export function lostText(lost: Lost | undefined): string[] {
  if (lost === undefined) {
    return ['after the backup: unknown. With SALLYPORT_KAFKA_BROKERS set, the topics say what was issued after it.'];
  }
  const { directives, events } = lost;
  const lines: string[] = [];
  if (!isRead(directives)) lines.push(`after the backup: the directives topic cannot be read: ${directives.unread}`);
  else {
    lines.push(`after the backup: ${directives.directives.length} directives; issue or lift them again:`);
    for (const { id, state, target, reason, issuedBy, issuedAt } of directives.directives) {
      const [targetText, reasonText, by] = [targetKey(target), reason, issuedBy].map((text) => JSON.stringify(text));
      lines.push(
        `  ${state === 'active' ? 'issued' : 'lifted'} ${targetText} ${reasonText} by ${by} at ${issuedAt}, ${id}`,
      );
    }
  }
  if (!isRead(events)) lines.push(`after the backup: the events topic cannot be read: ${events.unread}`);
  else {
    const counts = Object.entries(events);
    lines.push(`after the backup: ${counts.reduce((sum, [, count]) => sum + count, 0)} events are on the topic`);
    for (const [type, count] of counts) lines.push(`  ${count} ${JSON.stringify(type)}`);
  }
  return lines;
}
