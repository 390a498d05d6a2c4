import { path, query, type Call } from './client.js';
import { at, list } from './print.js';

/**
 * Says that a call that the log lacks may be in the bundles of an archive. Undefined if the log names no archive, or
 * the service does not answer: the hint is not worth an error.
 */
export async function archiveHint(call: Call): Promise<string | undefined> {
  const target = path('audit', 'events') + query({ types: 'TracesArchived', limit: '1000' });
  const archives = list(await call('GET', target).catch(() => ({})), 'items');
  const last = archives.at(-1);
  if (last === undefined) return undefined;
  return (
    `The log has ${archives.length === 1 ? 'an archive' : `${archives.length} archives`} of traces, the last one of those ` +
    `that ended before ${at(last, 'data', 'before')} (position ${at(last, 'position')}). Calls that were removed with it ` +
    'are in its bundles: sallyport verify <bundle> --report'
  );
}
