// kill -9 at random moments: while it starts, reads, stores, sends, or waits for room.
import { faultRounds, tally } from '@alert-throttle/test-kit';
import { expect, it } from 'vitest';
import { BrokerProxy } from '../testing/broker-proxy.ts';
import { accountFor, faultScene, firstBroker } from '../testing/fault-scene.ts';
import { killAgainAndAgain } from '../testing/killed-producer.ts';
import { NODE_ID } from '../testing/producer-run.ts';

const TIMEOUT_MS = 600_000;

it('with a spool that empties as it fills: nothing is lost', { timeout: TIMEOUT_MS }, async () => {
  const scene = await faultScene();
  const { random } = scene;
  let strike: (() => void) | undefined;
  let requests = 0;
  // Records that it has sent, and the broker has or has not got: the moments that a clock seldom finds.
  const proxy = await BrokerProxy.start(firstBroker(), () => {
    requests -= 1;
    if (strike === undefined || requests > 0) return 'pass';
    strike();
    strike = undefined;
    return random() < 0.5 ? 'cut' : 'lose answer';
  });
  let strikes = 0;
  const { given, totals } = await killAgainAndAgain(scene, {
    kills: faultRounds(10),
    linesPerFile: 8_000,
    options: { env: { KAFKA_BROKERS: proxy.address } },
    strike: (kill) => {
      requests = 1 + Math.floor(random() * 3);
      strike = () => {
        strikes += 1;
        kill();
      };
    },
    beforeRun: () => (strike = undefined),
    beforeLastRun: () => (strike = undefined),
  });
  expect(strikes).toBeGreaterThan(0);
  expect(totals).toMatchObject({ alertsLost: 0, recordsLeftInSpool: 0 });
  const fates = await accountFor(scene, given);
  expect(fates.get(NODE_ID)).toMatchObject({ lost: 0, announcements: 0 });
});

it.each([
  ['wait', 'nothing is lost'],
  ['drop', 'each loss is announced, to the alert'],
])('with a full spool, told to %s: %s', { timeout: TIMEOUT_MS }, async (policy) => {
  const scene = await faultScene();
  const { random } = scene;
  const proxy = await BrokerProxy.start(firstBroker());
  const { given, output } = await killAgainAndAgain(scene, {
    kills: faultRounds(8),
    linesPerFile: 6_000,
    options: {
      env: { KAFKA_BROKERS: proxy.address, SPOOL_MAX_BYTES: String(1024 * 1024), SPOOL_FULL: policy },
    },
    // In turns, so that it is full, stays full and is emptied in part.
    beforeRun: () => proxy.become(random() < 0.6 ? 'refusing' : 'open'),
    beforeLastRun: () => proxy.become('open'),
  });
  expect(output).toContain('spool full');
  expect(proxy.produceRequests).toBeGreaterThan(0);
  tally({ faults: proxy.faults });
  const { lost = 0, announcements } = (await accountFor(scene, given)).get(NODE_ID) ?? {};
  if (policy === 'wait') expect({ lost, announcements }).toEqual({ lost: 0, announcements: 0 });
  else expect(lost).toBeGreaterThan(0);
});
