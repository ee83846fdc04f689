import { defineConfig } from 'vitest/config';
import { CountReporter } from './packages/test-kit/src/count-reporter.ts';

const folders = '{packages,services,infra,schemas,native,bench,e2e}';
const outside = ['**/node_modules/**', '**/.stack*/**'];

/** A kernel in a guest, whose producer talks to the servers of the host. */
const withStackAndKernel = 'e2e/**/*.kernel.test.ts';

/** Projects that talk to the real Kafka, registry and Redis; they run after the unit tests, one after the other. */
const withStack = {
  globalSetup: ['packages/test-kit/src/global-setup.ts'],
  setupFiles: ['packages/test-kit/src/worker-setup.ts'],
  testTimeout: 120_000,
  hookTimeout: 120_000,
};

export default defineConfig({
  test: {
    // A forgotten `.only` would pass for the whole suite.
    allowOnly: false,
    reporters: ['default', new CountReporter()],
    // The servers are stopped, and their data deleted, in the teardown.
    teardownTimeout: 60_000,
    projects: [
      {
        test: {
          name: 'unit',
          include: [`${folders}/**/*.test.ts`],
          exclude: [...outside, '**/*.int.test.ts', '**/*.fault.test.ts', '**/*.kernel.test.ts'],
          // For what hangs; a busy machine may take its time.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'kernel',
          include: [`${folders}/**/*.kernel.test.ts`],
          exclude: [...outside, withStackAndKernel],
          globalSetup: ['packages/guest/src/testing/global-setup.ts'],
          // Kernels run in software emulation; a guest that hangs is ended by the harness, which says more.
          testTimeout: 900_000,
          hookTimeout: 900_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...withStack,
          name: 'kernel with servers',
          include: [withStackAndKernel],
          exclude: outside,
          globalSetup: ['packages/guest/src/testing/global-setup.ts', ...withStack.globalSetup],
          testTimeout: 900_000,
          hookTimeout: 900_000,
          // The servers and a guest are enough for one machine.
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...withStack,
          name: 'integration',
          include: [`${folders}/**/*.int.test.ts`],
          exclude: outside,
          // Tests wait more than they work, but each file may have services of its own, and so does the stack.
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          ...withStack,
          name: 'fault',
          include: [`${folders}/**/*.fault.test.ts`],
          exclude: outside,
          // A file that disturbs a server has one of its own, so that it does not hit a neighbour. They wait most of the time.
          maxWorkers: 3,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
