// Limits that change again and again under load, and instances that do not agree about them: each change counts from
// the offset on at which its partition committed it, whatever others think.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { faultRounds, tally, waitFor } from '@alert-throttle/test-kit';
import { type Limits, limitsVersion } from '@alert-throttle/throttle';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';

import { feedFloods } from '../testing/feed-floods.ts';
import { LimitsLog } from '../testing/limits-log.ts';
import { randomFrom, seedOf } from '../testing/random.ts';
import { Scenario } from '../testing/scenario.ts';
import type { ThrottlerRun } from '../testing/throttler-run.ts';

const CHANGES = faultRounds(100);
const PARTITIONS = 4;
const seed = seedOf('FAULT_SEED');
const random = randomFrom(seed);
const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-limits-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function upTo(max: number): number {
  return 1 + Math.floor(random() * max);
}

function anyLimits(): Limits {
  return { alertThrottling: random() < 0.85, maxAlertPerSec: upTo(6), throttleSec: upTo(3) };
}

const REFUSED = [
  'maxAlertPerSec: 0\n',
  'throttleSec: -1\n',
  'maxAlertPerSec: [1\n',
  'maxAlertsPerSecond: 1\n',
];

/** One instance's settings. */
class LimitsFile {
  readonly path: string;

  constructor(name: string, limits: Limits) {
    this.path = join(folder, `${name}.yaml`);
    this.write(limits);
  }

  write({ alertThrottling, maxAlertPerSec, throttleSec }: Limits): void {
    this.spoil(
      `alertThrottling: ${alertThrottling}\nmaxAlertPerSec: ${maxAlertPerSec}\nthrottleSec: ${throttleSec}\n`,
    );
  }

  /** At once, as a ConfigMap changes: a file that is empty for a moment would be one with all the defaults. */
  spoil(text: string): void {
    writeFileSync(`${this.path}.new`, text);
    renameSync(`${this.path}.new`, this.path);
  }

  env(): Record<string, string | undefined> {
    return {
      CONFIG_FILE: this.path,
      ALERT_THROTTLING: undefined,
      MAX_ALERT_PER_SEC: undefined,
      THROTTLE_SEC: undefined,
    };
  }
}

/** Waits until these limits are in force in all partitions of that instance, of which it has so many. */
async function inForce(run: ThrottlerRun, limits: Limits, partitions: number): Promise<void> {
  const version = limitsVersion(limits);
  await run.until(`limits ${version} in ${partitions} partitions (seed ${seed})`, async () => {
    const { ok, partitions: owned } = await run.readyz();
    return ok && owned.length === partitions && owned.every((one) => one.limits === version);
  });
}

describe('given alerts that come in all the time', () => {
  let scenario: Scenario;
  let limitsLog: LimitsLog;
  let feeding: AbortController;
  let fed: Promise<number>;
  let alerts = 0;

  beforeEach(async () => {
    scenario = await Scenario.create({ partitions: PARTITIONS });
    limitsLog = new LimitsLog(scenario);
    feeding = new AbortController();
    fed = feedFloods(scenario, randomFrom(seed + 1), feeding.signal);
  });
  afterEach(async () => {
    feeding.abort();
    await fed;
    await scenario.close();
  });

  /** Nothing comes any more: all of it is what the pure core says under the limits that were in force where. */
  const agrees = async (...runs: ThrottlerRun[]): Promise<void> => {
    feeding.abort();
    alerts = await fed;
    await scenario.drained();
    await limitsLog.look();
    const { changes } = limitsLog;
    await scenario.agrees({ changes });
    for (const run of runs) {
      expect((await run.metric('digest_mismatches_total')) ?? 0).toBe(0);
      expect(await run.stop()).toBe(0);
    }
    expect(await scenario.problems({ changes }), `seed ${seed}`).toEqual([]);
    expect(await scenario.checkpointProblems({ changes }), `seed ${seed}`).toEqual([]);
  };

  test(
    `and limits that change ${CHANGES} times, then each counts from its offset on`,
    { timeout: 240_000 * faultRounds(1) },
    async () => {
      let limits = anyLimits();
      const file = new LimitsFile('one', limits);
      const run = scenario.start(file.env());
      await inForce(run, limits, PARTITIONS);
      await limitsLog.look();
      const refusals = (): number => run.logged('the last good settings stay in force').length;
      let changed = 0;
      // One in a row: the same refusal twice is said once.
      let spoiled = false;
      for (let change = 0; change < CHANGES; change++) {
        if (!spoiled && random() < 0.1) {
          spoiled = true;
          const before = refusals();
          file.spoil(REFUSED[upTo(REFUSED.length) - 1] ?? '');
          await run.until('the refusal', () => Promise.resolve(refusals() > before));
          expect((await run.readyz()).limits).toBe(limitsVersion(limits));
          continue;
        }
        spoiled = false;
        let next = anyLimits();
        while (limitsVersion(next) === limitsVersion(limits)) next = anyLimits();
        changed += 1;
        limits = next;
        file.write(limits);
        await inForce(run, limits, PARTITIONS);
        if (change % 5 === 0) await limitsLog.look();
      }
      await waitFor(`${changed} changes in each partition (seed ${seed})`, async () => {
        await limitsLog.look();
        return limitsLog.count >= changed * PARTITIONS;
      });
      expect(limitsLog.count, `seed ${seed}`).toBe(changed * PARTITIONS);
      await agrees(run);
      tally({ faults: CHANGES, alerts });
    },
  );

  test(
    'and instances that are not of one mind, then each partition follows its owner',
    { timeout: 240_000 * faultRounds(1) },
    async () => {
      const one: Limits = { alertThrottling: true, maxAlertPerSec: 2, throttleSec: 2 };
      const other: Limits = { alertThrottling: true, maxAlertPerSec: 5, throttleSec: 1 };
      const files = [new LimitsFile('first', one), new LimitsFile('second', other)] as const;
      const first = scenario.start(files[0].env());
      await inForce(first, one, PARTITIONS);
      await limitsLog.look();

      // Configured differently: from the claim on, the new owner's limits count.
      const second = scenario.start(files[1].env());
      await inForce(second, other, PARTITIONS / 2);
      await inForce(first, one, PARTITIONS / 2);
      await limitsLog.look();
      // A coordinator may show the offsets of a transaction a moment after it was committed.
      const wanted = [one, one, other, other].map(limitsVersion).sort().join();
      await waitFor(`${wanted} to be committed`, async () => {
        await limitsLog.look();
        const latest = [...limitsLog.changes.values()].map((changes) => limitsVersion(changes.at(-1) ?? one));
        return latest.sort().join() === wanted;
      });

      // The same change, seen by one a while before the other.
      const rounds = faultRounds(8);
      for (let round = 0; round < rounds; round++) {
        const next = anyLimits();
        const pairs = [
          { file: files[0], run: first },
          { file: files[1], run: second },
        ];
        for (const { file, run } of random() < 0.5 ? pairs : pairs.reverse()) {
          file.write(next);
          await inForce(run, next, PARTITIONS / 2);
          await worked(scenario);
        }
        await limitsLog.look();
      }

      // One goes while they disagree: what it had follows the one that is left.
      files[0].write(one);
      files[1].write(other);
      await inForce(first, one, PARTITIONS / 2);
      await inForce(second, other, PARTITIONS / 2);
      await worked(scenario);
      await second.kill();
      await inForce(first, one, PARTITIONS);
      await worked(scenario);
      await agrees(first);
      tally({ faults: 2 * rounds + 3, alerts });
    },
  );
});

/** Waits until something more was decided in every partition. */
async function worked(scenario: Scenario): Promise<void> {
  const before = await scenario.committed();
  await waitFor('progress in every partition', async () => {
    const now = await scenario.committed();
    return [...now].every(([partition, { offset }]) => offset > (before.get(partition)?.offset ?? 0));
  });
}
