// A reporter of Jest: names the tests that failed, and ends the output with one line, `N passed, N failed`.
import { relative } from 'node:path';

export default class Sum {
  constructor(globalConfig) {
    this.globalConfig = globalConfig;
  }

  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numRuntimeErrorTestSuites } = results;
    // A file that breaks before its first test counts as one failed test.
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    const skipped = numPendingTests + numTodoTests;
    for (const { testFilePath, testExecError, testResults } of results.testResults) {
      const file = relative(this.globalConfig.rootDir, testFilePath);
      if (testExecError) console.log(`failed: ${file}`);
      for (const test of testResults)
        if (test.status === 'failed')
          console.log(`failed: ${file}: ${[...test.ancestorTitles, test.title].join(' > ')}`);
    }
    const sum = `${numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    if (this.globalConfig.watch || this.globalConfig.watchAll) console.log(sum);
    else process.once('exit', () => console.log(sum));
  }
}
