import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shown, table } from '../bench/figures.js';
import { describeMachine, type Machine } from '../bench/machine.js';
import { startService } from '../bench/ours.js';
import { readyWorld } from '../support/world.js';
import { COSTLY, registerCostly, type Kind } from './costly.js';
import { decisionsAt, DECISION_EVERY_MS, STOP_EVERY_MS, stopsAt, underAttack, type Attacked } from './notice.js';

/** `npm run bench:answers`: what others notice of sixteen costly answers of one server at once. */

const USAGE = `npm run bench:answers -- [options]
  --only <kinds>       beginnings of the kinds' names, separated by commas; all
  --cpu-prof <folder>  writes processor profiles of the service there
  --json <file>        writes the figures as JSON too
`;
const LEASE_MS = 5000;
const EACH = 8;
const QUIET_MS = 5000;
/** Ends the run even if something hangs. */
const MAX_MS = 10 * 60_000;

interface Measured extends Attacked {
  readonly kind: Kind;
  readonly bytes: number;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const options = { only: text, json: text, 'cpu-prof': text, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ options });
  const wanted = (values.only ?? '').split(',');
  const kinds = (Object.keys(COSTLY) as Kind[]).filter((kind) => wanted.some((each) => kind.startsWith(each)));
  if (values.help === true || kinds.length === 0) {
    say(USAGE);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const profiles = values['cpu-prof'];
  const nodeOptions = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-answers-'));
  setTimeout(() => process.exit(1), MAX_MS).unref();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  const machine = describeMachine(folder);
  const all: Measured[] = [];
  for (const kind of kinds) {
    say(kind);
    all.push(await measured(join(folder, String(all.length)), kind, nodeOptions));
  }
  process.stdout.write(printed(machine, all));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, all }, undefined, 2)}\n`);
}

/** One kind on a service of its own, so that its memory is its own. */
async function measured(dataDir: string, kind: Kind, nodeOptions: readonly string[]): Promise<Measured> {
  const service = await startService(dataDir, nodeOptions, { SALLYPORT_LEASE_MS: String(LEASE_MS) });
  try {
    await readyWorld(service);
    await registerCostly(service);
    const victim = { ...service, pid: service.running.pid };
    const attacked = await underAttack(victim, { kind, each: EACH, quietMs: QUIET_MS });
    return { kind, bytes: Buffer.byteLength(JSON.stringify(COSTLY[kind]())), ...attacked };
  } finally {
    await service.running.stop();
  }
}

function printed(machine: Machine, all: readonly Measured[]): string {
  const rows = all.flatMap(({ kind, bytes, quiet, busy }) => {
    const row = (what: string, times: readonly number[], at: (share: number) => number): string[] => [
      `${kind}, ${(bytes / 1e6).toFixed(1)} MB: ${what}`,
      String(times.length),
      ...[0.5, 0.95, 0.99, 1].map((share) => shown(at(share))),
    ];
    return [
      row('stops, quiet', quiet.stops, (share) => stopsAt(quiet, share)),
      row('stops, busy', busy.stops, (share) => stopsAt(busy, share)),
      row('decisions, quiet', quiet.decisions, (share) => decisionsAt(quiet, share)),
      row('decisions, busy', busy.decisions, (share) => decisionsAt(busy, share)),
    ];
  });
  const others = all.map(({ kind, quiet, busy, tookMs, given }) => [
    kind,
    (tookMs / 1000).toFixed(1),
    (decisionsAt(busy, 0.99) / decisionsAt(quiet, 0.99)).toFixed(1),
    String(busy.stale),
    shown(busy.silenceMs),
    shown(busy.residentMib),
    counted(given),
  ]);
  const { cpu, cores, memoryGiB, node, kernel, fileSystem, loadBefore } = machine;
  return [
    '# Sixteen costly answers at once',
    '',
    `Machine: ${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${kernel}, ${fileSystem}; load before ${loadBefore.toFixed(2)}.`,
    '',
    `Method: for each kind a new service process on SQLite, as npm start runs it. Two hosts post ${EACH} answers each at one`,
    "moment with the SDK's client, from threads of their own; every second answer has an output schema that tries each member",
    `against twelve patterns. Meanwhile an operator issues a stop each ${STOP_EVERY_MS} ms, and a bystander asks for a decision each`,
    `${DECISION_EVERY_MS} ms. Quiet: ${QUIET_MS} ms before. Clients and service share the machine. Milliseconds.`,
    '',
    table(['what', 'n', 'p50', 'p95', 'p99', 'max'], rows),
    '',
    table(
      [
        'kind',
        'seconds',
        'decisions: p99 by quiet p99',
        'view_stale',
        'longest between beats',
        'MiB resident',
        'answers',
      ],
      others,
    ),
    '',
  ].join('\n');
}

/** How often each was given. */
function counted(given: readonly string[]): string {
  return [...new Set(given)].map((each) => `${given.filter((one) => one === each).length} ${each}`).join(', ');
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1);
  },
);
