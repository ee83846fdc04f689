// Connections that end in the middle of a produce request, or after the broker has stored it and before it has said so.
import { faultRounds, tally } from '@alert-throttle/test-kit';
import { expect, it } from 'vitest';
import { BrokerProxy, type Fate } from '../testing/broker-proxy.ts';
import { numberedAlerts } from '../testing/fate-of-alerts.ts';
import { accountFor, faultScene, firstBroker } from '../testing/fault-scene.ts';
import { NODE_ID, runProducer, writeLines } from '../testing/producer-run.ts';

const ALERTS_PER_ROUND = 12_000;

/** More in a row than the client tries again by itself: then the records go out anew, with another producer's id. */
const MANY = 8;

it(
  'acknowledgements that are lost make repeats, and nothing is decided twice',
  { timeout: 600_000 },
  async () => {
    const scene = await faultScene();
    const { random } = scene;
    // First one produce request goes well, then many answers are lost in a row, whatever the seed is.
    let left = 1;
    let fate: Fate = 'pass';
    let isFirst = true;
    const proxy = await BrokerProxy.start(firstBroker(), () => {
      if (left === 0 && isFirst) {
        [fate, left, isFirst] = ['lose answer', MANY, false];
      } else if (left === 0) {
        fate = random() < 0.5 ? 'pass' : random() < 0.7 ? 'lose answer' : 'cut';
        left = 1 + Math.floor(random() * (fate === 'pass' ? 6 : MANY));
      }
      left -= 1;
      return fate;
    });
    // A small spool, so that there are many sends.
    const options = { env: { KAFKA_BROKERS: proxy.address, SPOOL_MAX_BYTES: String(1024 * 1024) } };
    const rounds = faultRounds(1);
    for (let round = 0; round < rounds; round++) {
      const lines = numberedAlerts(1 + round * ALERTS_PER_ROUND, ALERTS_PER_ROUND);
      const file = writeLines(scene.folder, lines, `alerts-${round}.jsonl`);
      expect(await runProducer(scene, file, options)).toMatchObject({
        alertsProduced: ALERTS_PER_ROUND,
        alertsLost: 0,
        recordsLeftInSpool: 0,
      });
    }
    tally({ faults: proxy.faults });
    expect(proxy.faults).toBeGreaterThanOrEqual(MANY);
    const fates = await accountFor(scene, new Map([[NODE_ID, rounds * ALERTS_PER_ROUND]]));
    expect(fates.get(NODE_ID)?.lost).toBe(0);
    expect(fates.get(NODE_ID)?.repeats).toBeGreaterThan(0);
  },
);
