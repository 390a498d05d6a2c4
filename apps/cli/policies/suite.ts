import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { vetPolicies } from '../../../libs/control/policy-vetting.js';
import { digestOfBytes } from '../../../libs/kernel/digest.js';
import { authorityOver, ruleText } from '../../../libs/policy/authority.js';
import { PolicyEngine } from '../../../libs/policy/cedar.js';
import type { ApprovalGrade } from '../../../libs/vocabulary/words.js';
import { UsageError } from '../world.js';
import { parseCases, type Case, type CaseFile, type Question } from './cases.js';

/** The result of a case. */
export interface CaseResult {
  readonly name: string;
  /** The cause of a failure, in one line. Absent if the case passed. */
  readonly failure?: string;
  /** The grade of the approval that the allow of a passed case needs. Absent if it needs none. */
  readonly approval?: ApprovalGrade;
}

/** A file of cases, by its path relative to the folder. */
export interface SuiteResult {
  readonly file: string;
  readonly cases: readonly CaseResult[];
}

/** Runs every YAML file in a folder and the folders in it. Throws `UsageError` if there is none. */
export async function runSuites(folder: string): Promise<SuiteResult[]> {
  const files = caseFiles(folder);
  if (files.length === 0) throw new UsageError(`${folder} holds no .yaml file`);
  const suites: SuiteResult[] = [];
  for (const file of files) suites.push({ file: relative(folder, file), cases: await runFile(file) });
  return suites;
}

function caseFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  } catch (error) {
    throw new UsageError(`cannot read ${folder}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
}

/** A file that cannot be run is one failed case, so every report shows it. */
async function runFile(file: string): Promise<CaseResult[]> {
  try {
    const suite = parseCases(readFileSync(file, 'utf8'));
    return await runCases(suite, resolve(dirname(file), suite.policies));
  } catch (error) {
    return [{ name: 'the file can be run', failure: (error as Error).message.split('\n')[0] ?? '' }];
  }
}

/** The policies are vetted before they are loaded, as in the service. */
async function runCases({ policies, cases }: CaseFile, policyFile: string): Promise<CaseResult[]> {
  const text = readFileSync(policyFile, 'utf8');
  const [error] = (await vetPolicies(text)).errors;
  if (error !== undefined) throw new Error(`${policies}:${error.line}:${error.column}: ${error.message}`);
  const engine = new PolicyEngine();
  const set = digestOfBytes(text);
  engine.load(set, text);
  return cases.map((each) => runCase(each, (question) => answerTo(engine, set, question)));
}

type Answer = ReturnType<typeof authorityOver>;

function runCase({ name, question, decision, rule, approval }: Case, ask: (question: Question) => Answer): CaseResult {
  const { outcome, determining, approval: asked } = ask(question);
  // An error has no determining policy, as in an answer of the service.
  const actual = outcome === 'error' ? '' : ruleText(determining);
  if (outcome !== decision) return { name, failure: `expected ${decision}, got ${outcome}${byRule(actual)}` };
  if (rule !== undefined && rule !== actual) {
    return { name, failure: `expected the rule ${JSON.stringify(rule)}, got ${JSON.stringify(actual)}` };
  }
  const grade = asked?.by ?? 'none';
  if (approval !== undefined && approval !== grade)
    return { name, failure: `expected the approval ${approval}, got ${grade}` };
  return asked === undefined ? { name } : { name, approval: asked.by };
}

const byRule = (rule: string): string => (rule === '' ? '' : ` by ${rule}`);

function answerTo(engine: PolicyEngine, set: ReturnType<typeof digestOfBytes>, question: Question): Answer {
  const { user, effects, capability, category, operation, ...context } = question;
  return authorityOver(effects, (effect) =>
    engine.ask(set, { user, effect, capability, category, operation, context }),
  );
}
