import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkout } from './checkout.ts';
import { closingLine } from './count-reporter.ts';

let folder: string;

beforeEach(() => {
  // Inside of the checkout, where "vitest" can be imported from.
  const cache = join(checkout, '.cache');
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'count-reporter-'));
  const reporter = JSON.stringify(join(import.meta.dirname, 'count-reporter.ts'));
  write(
    'vitest.config.ts',
    `import { CountReporter } from ${reporter};
     const project = (name) => ({ test: { name, include: [name + '/*.test.ts'] } });
     export default { test: { reporters: ['default', new CountReporter()], projects: [project('a'), project('b')] } };`,
  );
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): void {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** The lines of a run of vitest in the folder, and its exit code. */
function runVitest(): Promise<{ code: number; lines: string[] }> {
  const vitest = join(checkout, 'node_modules', 'vitest', 'vitest.mjs');
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [vitest, 'run', '--root', folder],
      { env: { PATH: process.env['PATH'] } },
      (error, stdout) =>
        resolve({ code: error === null ? 0 : Number(error.code), lines: stdout.trimEnd().split('\n') }),
    );
  });
}

const vitest = "import { afterAll, beforeAll, describe, expect, it } from 'vitest';\n";

it('counts the tests of all projects, last of all', async () => {
  write('a/one.test.ts', `${vitest} it('x', () => {}); describe('y', () => { it('z', () => {}); });`);
  write('b/two.test.ts', `${vitest} it('x', () => {}); it.skip('y', () => {}); it.todo('z');`);
  const { code, lines } = await runVitest();
  expect(lines.at(-1)).toBe('3 passed, 0 failed, 2 skipped');
  expect(code).toBe(0);
});

it('counts a file that cannot be loaded, and a hook that fails, as failures', async () => {
  write('a/good.test.ts', `${vitest} it('x', () => {}); it('y', () => { expect(1).toBe(2); });`);
  write('a/crash.test.ts', `throw new Error('at load');`);
  write('a/syntax.test.ts', `const = 1;`);
  write(
    'b/hook.test.ts',
    `${vitest} describe('s', () => { beforeAll(() => { throw new Error('no'); }); it('x', () => {}); });`,
  );
  const { code, lines } = await runVitest();
  expect(lines.at(-1)).toBe('1 passed, 4 failed, 1 skipped');
  expect(code).toBe(1);
});

it('counts an error that nobody caught', async () => {
  write(
    'a/late.test.ts',
    `${vitest} it('x', () => { setTimeout(() => { throw new Error('late'); }, 1); return new Promise((r) => setTimeout(r, 50)); });`,
  );
  const { code, lines } = await runVitest();
  expect(lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped');
  expect(code).toBe(1);
});

it('says that something failed where the run did not come to a test', async () => {
  write('setup.ts', `export default () => { throw new Error('no stack'); };`);
  write(
    'vitest.config.ts',
    `import { CountReporter } from ${JSON.stringify(join(import.meta.dirname, 'count-reporter.ts'))};
    export default { test: { reporters: [new CountReporter()], globalSetup: ['./setup.ts'] } };`,
  );
  write('a/one.test.ts', `${vitest} it('x', () => {});`);
  const { code, lines } = await runVitest();
  expect(lines.at(-1)).toBe('0 passed, 1 failed, 0 skipped');
  expect(code).toBe(1);
});

it('is one line that has no room for doubt', () => {
  expect(closingLine({ passed: 10, failed: 0, skipped: 1 }, 0)).toBe('10 passed, 0 failed, 1 skipped');
  expect(closingLine({ passed: 10, failed: 0, skipped: 0 }, 1)).toBe('10 passed, 1 failed, 0 skipped');
  expect(closingLine({ passed: 10, failed: 3, skipped: 0 }, 1)).toBe('10 passed, 3 failed, 0 skipped');
});

it('says before it what the fault tests did', async () => {
  const kit = JSON.stringify(join(import.meta.dirname, 'fault-tally.ts'));
  const fault = `import { tally } from ${kit};\n`;
  const body = "it('is checked', () => { tally({ faults: 2, alerts: 30 }); tally({ faults: 1 }); });";
  write('a/one.test.ts', vitest + fault + body);
  write('b/two.test.ts', vitest + fault + body);
  const { lines } = await runVitest();
  expect(lines.slice(-2)).toEqual(['6 faults injected, 60 alerts checked', '2 passed, 0 failed, 0 skipped']);
});
