import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../support/root.js';
import { CERBOS, QUESTIONS, REGO } from './questions.js';
import { freePort, isUp, run, until } from './running.js';
import { CALL_ID, type Target } from './target.js';

/** OPA and Cerbos: installed into a cache folder when they are not there yet, and bound to loopback. */

const INSTALL_MS = 600_000;

export const cacheDir = (): string => process.env['SALLYPORT_BENCH_CACHE'] ?? join(tmpdir(), 'sallyport-bench');

/** The program of a peer. Throws, in one line, where it cannot be installed. */
export async function installOpa(): Promise<string> {
  const cache = cacheDir();
  const program = join(cache, 'bin', 'opa');
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const go = {
    GOBIN: join(cache, 'bin'),
    GOPATH: join(cache, 'go'),
    GOCACHE: join(cache, 'gocache'),
    GOFLAGS: '-modcacherw',
  };
  await install('go', ['install', 'github.com/open-policy-agent/opa@latest'], { ...process.env, ...go });
  return program;
}

export async function installCerbos(): Promise<string> {
  const folder = join(cacheDir(), 'cerbos');
  const platform = `cerbos-${process.platform}-${process.arch}`;
  const program = join(folder, 'node_modules', '@cerbos', platform, platform);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  cpSync(join(projectRoot, 'test', 'bench', 'peers', 'package.json'), join(folder, 'package.json'));
  // npm's own variables would send this install to the project's folder.
  const env = Object.entries(process.env).filter(([name]) => !/^npm_(?!config_registry$)/i.test(name));
  await install(
    'npm',
    ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts'],
    Object.fromEntries(env),
  );
  return program;
}

async function install(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  try {
    await promisify(execFile)(program, [...args], { env, timeout: INSTALL_MS, cwd: cacheDir() });
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).trim().split('\n').slice(-1);
    throw new Error(`${program} ${args[0] ?? ''}: ${line ?? 'failed'}`, { cause: error });
  }
}

/** OPA, with its decision log on the console (into a file) or without. */
export async function startOpa(program: string, folder: string, log: boolean): Promise<Target> {
  const name = log ? 'opa+log' : 'opa';
  const policy = join(folder, 'bench.rego');
  writeFileSync(policy, REGO);
  const url = `http://127.0.0.1:${await freePort()}`;
  const options = ['--log-level=error', '--disable-telemetry', ...(log ? ['--set=decision_logs.console=true'] : [])];
  const outputFile = join(folder, `${name}.log`);
  const running = run([program, 'run', '--server', `--addr=${url}`, ...options, policy], { outputFile });
  await until(running, () => isUp(`${url}/health`));
  return {
    name,
    url,
    running,
    note: `${await versionOf(program, ['version'])}${log ? ', console decision log into a file, buffered' : ', no logs'}`,
    ...(log ? { loggedBytes: () => statSync(outputFile).size } : {}),
    decision: (answer) => bool((JSON.parse(answer) as { result?: boolean }).result),
    asked: QUESTIONS.map((question) => ({
      question,
      path: '/v1/data/bench/allow',
      headers: {},
      body: JSON.stringify({
        input: {
          callId: CALL_ID,
          user: { id: question.user.id, roles: [question.user.role] },
          action: question.action,
          resource: { id: `${question.category}-server`, category: question.category },
          arguments: { key: question.key },
        },
      }),
    })),
  };
}

/** Cerbos, with its local audit log of decisions or without. */
export async function startCerbos(program: string, folder: string, log: boolean): Promise<Target> {
  const name = log ? 'cerbos+log' : 'cerbos';
  const home = join(folder, name);
  mkdirSync(join(home, 'policies'), { recursive: true });
  writeFileSync(join(home, 'policies', 'operation.yaml'), CERBOS);
  const [http, grpc] = [await freePort(), await freePort()];
  const config = {
    server: { httpListenAddr: `127.0.0.1:${http}`, grpcListenAddr: `127.0.0.1:${grpc}` },
    storage: { driver: 'disk', disk: { directory: join(home, 'policies'), watchForChanges: false } },
    telemetry: { disabled: true },
    audit: {
      enabled: log,
      accessLogsEnabled: false,
      decisionLogsEnabled: true,
      backend: 'local',
      local: { storagePath: join(home, 'audit') },
    },
  };
  writeFileSync(join(home, 'cerbos.json'), JSON.stringify(config));
  const running = run([program, 'server', `--config=${join(home, 'cerbos.json')}`, '--log-level=error'], {
    outputFile: join(home, 'output.log'),
  });
  const url = `http://127.0.0.1:${http}`;
  await until(running, () => isUp(`${url}/_cerbos/health`));
  return {
    name,
    url,
    running,
    note: `Cerbos ${await versionOf(program, ['--version'])}${log ? ', local audit log of decisions, asynchronous' : ', no audit log'}`,
    ...(log ? { loggedBytes: () => usedBytes(join(home, 'audit')) } : {}),
    decision: (answer) => /EFFECT_ALLOW/.test(answer) || (/EFFECT_DENY/.test(answer) ? false : undefined),
    asked: QUESTIONS.map((question) => ({
      question,
      path: '/api/check/resources',
      headers: {},
      body: JSON.stringify({
        requestId: CALL_ID,
        principal: { id: question.user.id, roles: [question.user.role] },
        resources: [
          {
            actions: [question.action],
            resource: {
              kind: 'operation',
              id: `${question.category}-server`,
              attr: { category: question.category, arguments: { key: question.key } },
            },
          },
        ],
      }),
    })),
  };
}

/** Bytes on disk: a log that is mapped into memory is long before it is full. */
function usedBytes(folder: string): number {
  return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).blocks * 512, 0);
}

const bool = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);

async function versionOf(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [...args]);
  const [first = ''] = stdout.split('\n');
  return first.replace(/^Version: /, 'OPA ').trim();
}
