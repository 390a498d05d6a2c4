import { agentText } from './agent-text.js';
import { path } from './client.js';
import type { Session } from './command.js';
import { diffText } from './diff-text.js';
import { at, dig, list } from './print.js';
import { findingLines, operationLines, warningLines } from './version-text.js';

/**
 * Shows a reviewer at a terminal the texts of a version that an agent will read, and its changes against the approved
 * version. Then it asks. Resolves to true if the review continues; without a terminal, or with `--json`, it continues.
 */
export async function showBeforeApproval(
  { world, call, options }: Session<{ readonly quarantine?: string }>,
  capability: string,
  version: string,
): Promise<boolean> {
  if (world.ask === undefined || options.json === true) return true;
  const [all, proposed] = await Promise.all([
    call('GET', path('capabilities', capability)),
    call('GET', path('capabilities', capability, 'versions', version)),
  ]);
  const definition = dig(proposed, 'definition') ?? null;
  const approved = list(all, 'versions')
    .filter((each) => at(each, 'status') === 'approved' && at(each, 'version') !== version)
    .sort((a, b) => (at(a, 'review', 'at') < at(b, 'review', 'at') ? 1 : -1))
    .map((each) => at(each, 'version'))[0];
  const lines = [
    ...agentText(definition),
    ...findingLines(proposed ?? null),
    `what it may do and see: sensitivity ${at(proposed, 'manifest', 'sensitivity')}`,
  ];
  lines.push(...operationLines(proposed ?? null), ...warningLines(proposed ?? null));
  if (approved !== undefined) {
    const target = path('capabilities', capability, 'versions', approved);
    const against = path('capabilities', capability, 'versions', version, 'diff');
    const [before, diff] = await Promise.all([
      call('GET', target),
      call('GET', `${against}?against=${encodeURIComponent(approved)}`),
    ]);
    lines.push(`what changes against ${approved}`, ...diffText(diff, dig(before, 'definition') ?? null, definition));
  }
  lines.push(`quarantined responses: ${options.quarantine ?? 'as SALLYPORT_QUARANTINE says'}`);
  world.out(lines.map((line) => `${line}\n`).join(''));
  const answer = await world.ask(`Approve ${capability}@${version}? [y/N] `);
  return /^y(es)?$/i.test(answer.trim());
}
