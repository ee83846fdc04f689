// The disk of the spool is full: a small one of the test's own, which the producer's own bound does not know of.
import { join } from 'node:path';
import { faultRounds, tally } from '@alert-throttle/test-kit';
import { expect, it } from 'vitest';
import { BrokerProxy } from '../testing/broker-proxy.ts';
import { accountFor, faultScene, firstBroker } from '../testing/fault-scene.ts';
import { killAgainAndAgain } from '../testing/killed-producer.ts';
import { NODE_ID } from '../testing/producer-run.ts';
import { smallDisk } from '../testing/small-disk.ts';

const DISK_BYTES = 3 * 1024 * 1024;

it.each([
  ['wait', 'nothing is lost'],
  ['drop', 'each loss is announced, to the alert'],
])('killed on a full disk, told to %s: %s', { timeout: 600_000 }, async (policy) => {
  const scene = await faultScene();
  const { random } = scene;
  const disk = await smallDisk(DISK_BYTES);
  const proxy = await BrokerProxy.start(firstBroker());
  let fullest = Infinity;
  const { given, totals, output } = await killAgainAndAgain(scene, {
    kills: faultRounds(8),
    linesPerFile: 8_000,
    spoolDir: join(disk.folder, 'spool'),
    options: { via: disk.via, env: { KAFKA_BROKERS: proxy.address, SPOOL_FULL: policy } },
    beforeRun: () => {
      fullest = Math.min(fullest, disk.free());
      proxy.become(random() < 0.6 ? 'refusing' : 'open');
    },
    beforeLastRun: () => proxy.become('open'),
  });
  tally({ faults: proxy.faults });
  expect(output).toContain('disk full');
  expect(fullest).toBeLessThan(DISK_BYTES / 4);
  expect(totals).toMatchObject({ recordsLeftInSpool: 0 });
  const { lost = 0, announcements } = (await accountFor(scene, given)).get(NODE_ID) ?? {};
  if (policy === 'wait') expect({ lost, announcements }).toEqual({ lost: 0, announcements: 0 });
  else expect(lost).toBeGreaterThan(0);
});
