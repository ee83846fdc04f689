// Servers that refuse, fail, ask for a password, go away and come back: said in words, waited for, never guessed around.

import { makeAlert } from '@alert-throttle/alert';
import { waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { BrokenRegistry } from './testing/broken-registry.ts';
import { freePort, OwnRedis } from './testing/own-redis.ts';
import { encodedByStranger } from './testing/registry-calls.ts';
import { Scenario } from './testing/scenario.ts';
import { ThrottlerRun } from './testing/throttler-run.ts';

/** Started first and looked at last: it gives up after a minute. */
let refused: { readonly run: ThrottlerRun; readonly address: string };

beforeAll(async () => {
  const address = `127.0.0.1:${await freePort()}`;
  refused = { address, run: new ThrottlerRun({ KAFKA_BROKERS: address }) };
});
afterAll(() => refused.run.kill());

describe('given a broker address that refuses', () => {
  test('then the log names the address and the setting, again and again', async () => {
    const { run, address } = refused;
    await run.until('the address in the log', () =>
      Promise.resolve(
        run.log.some((line) => {
          const told = JSON.stringify(line);
          return line.msg.includes('Kafka') && told.includes(address) && /refuse/i.test(told);
        }),
      ),
    );
    expect((await run.readyz()).ok).toBe(false);
  });
});

describe('given a registry that answers 500', () => {
  let scenario: Scenario;
  let registry: BrokenRegistry;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 2 });
    registry = await BrokenRegistry.start(500);
  });
  afterAll(async () => {
    await scenario.close();
    await registry.close();
  });

  test('then the throttler waits for it and says so, and goes on when it is well again', async () => {
    const run = scenario.start({ SCHEMA_REGISTRY_URL: registry.url });
    const line = await run.says('the schema registry does not answer');
    expect(JSON.stringify(line)).toContain(registry.url);
    await waitFor('another attempt', () => registry.failures > 1);
    expect((await run.readyz()).ok).toBe(false);
    registry.failWith = undefined;
    await run.ready(2);

    // In mid run: a schema that is not known yet holds up its partition alone, and is no poison.
    const { feed } = scenario;
    const [held, other] = [feed.containerIn(0, 0), feed.containerIn(1, 0)];
    const value = await encodedByStranger(makeAlert(feed.alert({ ContainerID: held })));
    await feed.send([feed.alert({ ContainerID: held }), feed.alert({ ContainerID: other })]);
    await scenario.drained();
    registry.failWith = 500;
    const before = registry.failures;
    await feed.sendRaw([{ key: held, partition: 0, value }]);
    await feed.send([feed.alert({ ContainerID: held }), feed.alert({ ContainerID: other })]);
    await waitFor('two attempts', () => registry.failures >= before + 2);
    await waitFor('the other partition', async () => (await scenario.throttledAlerts(other)).length === 2);
    expect(await scenario.throttledAlerts(held)).toHaveLength(1);
    registry.failWith = undefined;
    await scenario.agrees();
    expect(await run.metric('dead_letters_total')).toBeFalsy();
    expect(await run.stop()).toBe(0);
  });
});

describe('given a Redis that asks for a password', () => {
  let scenario: Scenario;
  let redis: OwnRedis;

  beforeAll(async () => {
    redis = await OwnRedis.start('--requirepass', 'secret');
    scenario = await Scenario.create({ partitions: 2, redisUrl: redis.url });
  });
  afterAll(async () => {
    await scenario.close();
    await redis.close();
  });

  test('then the throttler is DEGRADED and says why, alerts flow, and the password cures it', async () => {
    const run = scenario.start();
    await run.says('DEGRADED');
    const told = run.log.map((line) => JSON.stringify(line)).join('\n');
    expect(told).toContain('REDIS_PASSWORD');
    await run.ready(2);
    await scenario.feed.send(floods(scenario));
    await scenario.drained();
    await run.until('the metric', async () => (await run.metric('redis_degraded')) === 1);
    await scenario.agrees();
    expect(await run.stop()).toBe(0);

    const cured = scenario.start({ REDIS_PASSWORD: 'secret' });
    await cured.ready(2);
    expect(await cured.metric('claims_total', 'how="log"')).toBe(2);
    await cured.until('no DEGRADED', async () => (await cured.metric('redis_degraded')) === 0);
    await scenario.withRedis(redis.url.replace('//', '//:secret@')).checkpointsAgree();
    expect(told + cured.service.output).not.toContain('secret');
    expect(await cured.stop()).toBe(0);
  });
});

describe('given a Redis that goes away and comes back empty', () => {
  let scenario: Scenario;
  let redis: OwnRedis;

  beforeAll(async () => {
    redis = await OwnRedis.start();
    scenario = await Scenario.create({ partitions: 2, redisUrl: redis.url, limits: { throttleSec: 3 } });
  });
  afterAll(async () => {
    await scenario.close();
    await redis.close();
  });

  test('in mid run, then alerts flow, and the checkpoint is whole again afterwards', async () => {
    const run = scenario.start();
    await run.ready(2);
    await scenario.feed.send(floods(scenario));
    await scenario.drained();
    await scenario.checkpointsAgree();

    await redis.stop();
    await scenario.feed.send(floods(scenario));
    await scenario.drained();
    await run.says('DEGRADED');
    await run.until('the metric', async () => (await run.metric('redis_degraded')) === 1);
    expect((await run.readyz()).ok).toBe(true);
    await redis.start();
    await run.says('no longer DEGRADED');
    await scenario.checkpointsAgree();
    expect(await run.metric('redis_degraded')).toBe(0);

    await scenario.feed.send(floods(scenario));
    await redis.command('FLUSHALL');
    await scenario.feed.send(floods(scenario));
    await scenario.drained();
    await scenario.checkpointsAgree();

    // Emptied while nothing comes in: a whole checkpoint is written all the same.
    await scenario.agrees();
    await redis.command('FLUSHALL');
    await scenario.checkpointsAgree();
    expect(await run.metric('claims_lost_total')).toBe(0);
    expect(await run.stop()).toBe(0);
    expect(await scenario.problems()).toEqual([]);
  });

  test('before a kill, then the state is rebuilt from the log, and the output is the same', async () => {
    const { feed } = scenario;
    const run = scenario.start();
    await run.ready(2);
    await feed.send(floods(scenario));
    await scenario.drained();
    await run.kill();
    await redis.command('FLUSHALL');
    const next = scenario.start();
    await next.ready(2);
    expect(await next.metric('claims_total', 'how="log"')).toBe(2);
    expect(await next.metric('digest_mismatches_total')).toBe(0);
    await feed.send(floods(scenario));
    await scenario.agrees();
    expect(await next.stop()).toBe(0);
    expect(await scenario.checkpointProblems()).toEqual([]);
  });
});

describe('given a broker address that refuses for a minute', () => {
  test('then the throttler ends by itself, and not with 0', async () => {
    const { code } = await refused.run.service.exit(120_000);
    expect(code).toBe(1);
  });
});

/** Six alerts at once of a container in each of two partitions. */
function floods({ feed }: Scenario): ReturnType<typeof feed.alert>[] {
  return [0, 1].flatMap((partition) => {
    const ContainerID = feed.containerIn(partition, 0);
    return Array.from({ length: 6 }, () => feed.alert({ ContainerID }));
  });
}
