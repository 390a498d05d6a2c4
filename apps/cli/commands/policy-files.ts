import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { describe, readInput, readJson, type Exits } from '../command.js';
import { jsonText, printable } from '../print.js';
import { EXIT, UsageError, type World } from '../world.js';

const MAX_LINE_CHARS = 600;

/** Commands about policies in files. They need no service, and load the engine only when they run. */
export function addPolicyFiles(policy: Command, world: World, exits: Exits): void {
  describe(policy, 'check <file>', {
    about: 'Check a policy file (Cedar; - reads stdin) as the service checks a proposal; needs no service',
    example:
      'sallyport policy check readers.cedar\nsallyport capabilities --json > registry.json\nsallyport policy check readers.cedar --registry registry.json',
  })
    .option('--registry <file>', 'warn about capabilities, operations and categories that this list does not have')
    .option('--json', 'print only JSON on stdout')
    .action(async (file: string, options: { registry?: string; json?: boolean }) => {
      exits.code = await check(world, file, options);
    });

  describe(policy, 'test <folder>', {
    about: 'Ask policies the questions of YAML files and compare the decisions; needs no service',
    example: 'sallyport policy test policies/\nsallyport policy test policies/ --junit report.xml',
  })
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--json', 'print only JSON on stdout')
    .action(async (folder: string, options: { junit?: string; json?: boolean }) => {
      exits.code = await test(world, folder, options);
    });
}

async function check(world: World, file: string, options: { registry?: string; json?: boolean }): Promise<number> {
  const { vetPolicies } = await import('../../../libs/control/policy-vetting.js');
  const { unregistered } = await import('../../../libs/policy/registered.js');
  const { namesOfRegistry } = await import('../policies/registry-file.js');
  const { registry } = options;
  const names = registry === undefined ? undefined : namesOfRegistry(await readJson(world, registry), registry);
  const text = await readInput(world, file);
  const checked = await vetPolicies(text);
  const { errors } = checked;
  const warnings = names === undefined ? [] : unregistered(text, checked.names, names);
  if (options.json === true) world.out(`${jsonText({ file, errors, warnings })}\n`);
  else {
    for (const [kind, findings] of [['error', errors] as const, ['warning', warnings] as const]) {
      for (const { line, column, message } of findings) {
        world.out(`${printable(`${file}:${line}:${column}: ${kind}: ${message}`, MAX_LINE_CHARS)}\n`);
      }
    }
    if (errors.length === 0) world.out(`${printable(file)}: no errors\n`);
  }
  return errors.length === 0 ? EXIT.done : EXIT.policyFailed;
}

async function test(world: World, folder: string, options: { junit?: string; json?: boolean }): Promise<number> {
  const { runSuites } = await import('../policies/suite.js');
  const { junitOf } = await import('../policies/junit.js');
  const suites = await runSuites(resolve(world.cwd, folder));
  const cases = suites.flatMap((suite) => suite.cases);
  const failed = cases.filter(({ failure }) => failure !== undefined).length;
  const passed = cases.length - failed;
  if (options.junit !== undefined) writeReport(resolve(world.cwd, options.junit), junitOf(suites));
  if (options.json === true) world.out(`${jsonText({ passed, failed, suites })}\n`);
  else {
    for (const suite of suites) {
      for (const { name, failure, approval } of suite.cases) {
        const needs = approval === undefined ? '' : ` (needs an approval of ${approval})`;
        const line = `${failure === undefined ? 'ok  ' : 'FAIL'} ${suite.file}: ${name}${needs}`;
        world.out(`${printable(failure === undefined ? line : `${line}: ${failure}`, MAX_LINE_CHARS)}\n`);
      }
    }
    world.out(`${passed} passed, ${failed} failed\n`);
  }
  return failed === 0 ? EXIT.done : EXIT.policyFailed;
}

function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`cannot write ${file}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
}
