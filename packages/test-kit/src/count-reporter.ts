// Closes every test run with one plain line that people and CI can read: `N passed, N failed, N skipped`; before it,
// what the fault tests did.
import { writeSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule, TestSuite } from 'vitest/node';
import { add, type Tally } from './tally.ts';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Every test case once. Whatever failed outside of a test case counts as one failure: a file that cannot be loaded,
 * a hook of a file or a suite, an error that nobody caught.
 */
export function countTests(modules: readonly TestModule[], unhandled: readonly SerializedError[]): Counts {
  let [passed, failed, skipped] = [0, unhandled.length, 0];
  for (const module of modules) {
    const suites: (TestModule | TestSuite)[] = [module, ...module.children.allSuites()];
    failed += suites.filter((suite) => suite.errors().length > 0).length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed++;
      else if (state === 'failed') failed++;
      else skipped++;
    }
  }
  return { passed, failed, skipped };
}

/** A run that ends in failure says so in its counts, whatever the failure was. */
export function closingLine({ passed, failed, skipped }: Counts, exitCode: number): string {
  return `${passed} passed, ${exitCode === 0 ? failed : Math.max(1, failed)} failed, ${skipped} skipped`;
}

/** What all tests together injected and checked. */
export function tallyOf(modules: readonly TestModule[]): Tally {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  return tests.reduce((sum, test) => add(sum, test.meta().tally ?? {}), { faults: 0, alerts: 0 });
}

export class CountReporter implements Reporter {
  private counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  private tally: Tally = { faults: 0, alerts: 0 };

  /** At the exit of the process: other reporters and the teardown of the stack write after the last test. */
  onInit(): void {
    process.once('exit', (code) => {
      const { faults, alerts } = this.tally;
      if (faults > 0) writeSync(process.stdout.fd, `${faults} faults injected, ${alerts} alerts checked\n`);
      writeSync(process.stdout.fd, `${closingLine(this.counts, code)}\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    this.counts = countTests(modules, unhandled);
    this.tally = tallyOf(modules);
  }
}
