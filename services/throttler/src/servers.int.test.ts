// A Kafka that refuses: said in words, again and again, until the process ends so that a restart can cure it.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { freePort } from './testing/own-redis.ts';
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

describe('given a broker address that refuses for a minute', () => {
  test('then the throttler ends by itself, and not with 0', async () => {
    const { code } = await refused.run.service.exit(120_000);
    expect(code).toBe(1);
  });
});
