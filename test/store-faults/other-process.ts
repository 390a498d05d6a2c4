import { openSqliteLog } from '../../libs/event-log/sqlite/sqlite-log.js';
import { LogOpenError } from '../../libs/event-log/sqlite/shared/errors.js';
import { batch, write } from '../contracts/facts.js';

/**
 * `other-process.js hold <file>`: opens the log, says `open` and holds it. `… append <file>`: appends on 16 streams as
 * fast as it can, and says `<stream> <revision>` for each append that was acknowledged. A log that cannot be opened:
 * says `<code>: <message>` and ends.
 */
const [command, file = ''] = process.argv.slice(2);

try {
  const log = await openSqliteLog({ file });
  console.log('open');
  const busy = setInterval(() => undefined, 1_000);
  if (command === 'append') {
    const follow = async (stream: string) => {
      for (let revision = 0; ; revision += 1) {
        const outcome = await log.append(batch([write(stream, revision, { pad: 'x'.repeat(500) })]));
        if (outcome.kind === 'committed') console.log(`${stream} ${revision + 1}`);
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, index) => follow(`calls-${index}`)));
  }
  if (command === 'once') {
    clearInterval(busy);
    await log.close();
  }
} catch (error) {
  console.log(error instanceof LogOpenError ? `${error.code}: ${error.message}` : String(error));
}
