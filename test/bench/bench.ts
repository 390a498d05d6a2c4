import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bars } from './bars.js';
import { benchDecide } from './decide.js';
import { benchDirectives } from './directives.js';
import { benchGrpc } from './grpc.js';
import { benchHttp } from './http.js';
import { describeMachine } from './machine.js';
import { profileOurs } from './profile.js';
import { printed, type Report } from './report.js';
import { benchStore } from './store.js';
import { wrkVersion } from './wrk.js';

/** `npm run bench`: measures, prints one report and leaves nothing behind but the peers in their cache folder. */

const USAGE = `npm run bench -- [options]
  --quick         one round of 2 s for each server, small stores: to see that it works, not to quote
  --full          10^6 events and 10^5 capabilities in the stores, as the bars ask (some minutes more)
  --only <parts>  of http, grpc, decide, directives, store, profile; separated by commas; profile only where it is named
  --json <file>   writes the report as JSON too
`;
const USUAL = ['http', 'grpc', 'decide', 'directives', 'store'] as const;
const PARTS = [...USUAL, 'profile'] as const;
/** Ends the run even if something hangs. */
const MAX_MS = 45 * 60_000;
type Part = (typeof PARTS)[number];

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const options = { quick: { type: 'boolean' }, full: { type: 'boolean' }, only: { type: 'string' } } as const;
  const { values } = parseArgs({ options: { ...options, json: { type: 'string' }, help: { type: 'boolean' } } });
  const { quick = false, full = false, only = USUAL.join(), json, help = false } = values;
  const parts = only.split(',').filter((part): part is Part => PARTS.some((known) => known === part));
  if (help || parts.length !== only.split(',').length) {
    say(USAGE);
    process.exitCode = help ? 0 : 2;
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-run-'));
  setTimeout(() => process.exit(1), MAX_MS).unref();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  const report = await measure(parts, quick, full, folder);
  process.stdout.write(printed(report));
  // Slow is a finding; wrong is a failure.
  if (report.bars.some(({ unit, limit, verdict }) => unit === '' && limit === 0 && verdict === 'not met'))
    process.exitCode = 1;
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
}

async function measure(parts: readonly Part[], quick: boolean, full: boolean, folder: string): Promise<Report> {
  const machine = describeMachine(folder);
  const wrk = wrkVersion();
  const [rounds, roundS] = quick ? [1, 2] : [5, 5];
  const cellMs = quick ? 60 : 400;
  const leftOut: Record<string, string> = {};
  for (const part of USUAL) if (!parts.includes(part)) leftOut[part] = 'not asked for';
  /** Whether a part that needs the load generator is run. */
  const underLoad = (part: Part): boolean => {
    if (parts.includes(part) && wrk === undefined) leftOut[part] = 'wrk is not installed (Debian: apt install wrk)';
    return parts.includes(part) && wrk !== undefined;
  };
  const measured = {
    http: underLoad('http') ? await benchHttp({ folder, rounds, roundS, say }) : undefined,
    grpc: underLoad('grpc') ? await benchGrpc({ folder, rounds, roundS, say }) : undefined,
    decide: parts.includes('decide') ? await benchDecide(cellMs, say) : undefined,
    directives: parts.includes('directives') ? await benchDirectives(cellMs, say) : undefined,
    store: parts.includes('store')
      ? await benchStore({
          folder,
          events: full ? 1_000_000 : quick ? 20_000 : 100_000,
          capabilities: full ? 100_000 : 10_000,
          starts: quick ? 1 : 3,
          say,
        })
      : undefined,
  };
  const method = [
    `${wrk ?? 'no wrk'}, one thread, on the same machine as the servers; the same 144 questions (65 % allows), each request ` +
      `with an id of its own; ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${roundS} s in turns after a warm-up, medians of the rounds.`,
    'Ours is the service as it is started for real; each peer is bound to loopback, with an equivalent policy; all of them ' +
      'run all the time, one is loaded. All answers to the questions are checked before and after.',
    'gRPC is asked by a client in Node, which takes of the same cores; it writes its messages before the clock starts, and ' +
      `reads the answers after it has stopped. decide: ${cellMs} ms of single decisions a cell, in process. Store: copies ` +
      "of the service's own events, its queries over HTTP." +
      (quick ? ' **A quick run: to see that it works, not to quote.**' : ''),
  ];
  return {
    at: new Date().toISOString(),
    machine,
    method,
    ...measured,
    profile: underLoad('profile') ? await profileOurs(folder, quick ? 2 : 5) : undefined,
    bars: bars(measured),
    leftOut,
  };
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1);
  },
);
