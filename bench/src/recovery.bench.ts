// How long a throttler takes to find its state again where Redis has lost it: it folds the log from its start,
// without output. Beside it the same client over the same log, only consuming.

import type { StackEnv } from '@alert-throttle/stack';
import { checkpointKey, throttledKey } from '@alert-throttle/throttle';
import { Redis } from 'ioredis';

import { machine, type Machine } from './machine.ts';
import { benchKafka, benchTopics, fillRaw, PARTITIONS } from './pipeline-topics.ts';
import { median, rounded } from './statistics.ts';
import {
  committedAlerts,
  foldedAlerts,
  freePort,
  rate,
  startCopy,
  startThrottler,
} from './throughput.bench.ts';

const ALERTS = 1_000_000;
const ROUNDS = 3;
/** What a large cluster may raise in a day. */
const DAY_ALERTS = 100_000_000;

export interface RecoveryBench {
  readonly machine: Machine;
  readonly cases: Readonly<Record<string, object>>;
}

export async function recoveryBench(env: StackEnv): Promise<RecoveryBench> {
  process.stderr.write(`recovery: ${ALERTS} alerts on ${PARTITIONS} partitions\n`);
  const { topics, codec } = await benchTopics(env);
  await fillRaw(env, topics, codec, { alerts: ALERTS, containers: ALERTS / 200, spacingMicros: 1000 });
  const admin = benchKafka(env, 'bench-admin').admin();
  await admin.connect();
  const redis = new Redis(env.REDIS_URL);
  const group = `${topics.raw}-recovery`;
  const throttler = async (): Promise<number> => {
    const port = await freePort();
    const pace = await rate(startThrottler(env, group, topics, port), () => foldedAlerts(port), ALERTS);
    return pace.perSec;
  };
  // Decides everything once, and commits it.
  await throttler();
  const rates = { consume: [] as number[], rebuild: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    const consuming = `${topics.raw}-consume-${round}`;
    const consumer = startCopy('stock', env, consuming, topics);
    const progress = (): Promise<number> => committedAlerts(admin, consuming, topics.raw);
    rates.consume.push((await rate(consumer, progress, ALERTS)).perSec);
    const keys = Array.from({ length: PARTITIONS }, (_, partition) => [
      checkpointKey(group, topics.raw, partition),
      throttledKey(group, topics.raw, partition),
    ]);
    await redis.del(...keys.flat());
    rates.rebuild.push(await throttler());
    process.stderr.write(`recovery: round ${round + 1} of ${ROUNDS}\n`);
  }
  redis.disconnect();
  await admin.deleteTopics({ topics: [topics.raw, topics.throttled, topics.deadLetter] });
  await admin.disconnect();
  const consumePerSec = median(rates.consume);
  const rebuildPerSec = median(rates.rebuild);
  const rebuild = {
    alerts: ALERTS,
    consumePerSec: Math.round(consumePerSec),
    rebuildPerSec: Math.round(rebuildPerSec),
    ofConsume: rounded(rebuildPerSec / consumePerSec),
    minutesForADay: rounded(DAY_ALERTS / rebuildPerSec / 60, 1),
  };
  return { machine: machine(), cases: { rebuild } };
}
