// A throttler under load whose Redis a test does harm to: what must hold while the fault lasts, and afterwards.

import { tally } from '@alert-throttle/test-kit';
import { expect } from 'vitest';

import { feedFloods } from './feed-floods.ts';
import { type OwnRedis } from './own-redis.ts';
import { randomFrom } from './random.ts';
import { Scenario } from './scenario.ts';
import type { LogLine, ThrottlerRun } from './throttler-run.ts';

export const TROUBLE_PARTITIONS = 2;

export interface TroubleOptions {
  readonly redis: OwnRedis;
  readonly seed: number;
  /** How the throttler reaches Redis, where it is not the way of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** Redis is bad from the start: no checkpoint is waited for. */
  readonly startsDegraded?: boolean;
}

export class RedisTrouble {
  readonly scenario: Scenario;
  readonly redis: OwnRedis;
  /** Of the throttler that runs now. */
  run: ThrottlerRun;
  /** How the throttler reaches Redis from its next start on. */
  env: Readonly<Record<string, string>>;
  readonly #seed: number;
  readonly #ended = new AbortController();
  readonly #fed: Promise<number>;
  /** Up to where the log of `run` was looked at. */
  #seen = 0;

  private constructor(scenario: Scenario, { redis, seed, env = {} }: TroubleOptions) {
    this.scenario = scenario;
    this.redis = redis;
    this.env = env;
    this.#seed = seed;
    this.run = scenario.start(env);
    this.#fed = feedFloods(scenario, randomFrom(seed), this.#ended.signal);
    // Awaited at the end; a failure before that is not to go by unhandled.
    this.#fed.catch(() => undefined);
  }

  /** A throttler that has written its first checkpoints, with alerts coming in until `settled`. */
  static async begin(options: TroubleOptions): Promise<RedisTrouble> {
    const redisUrl = options.redis.url;
    const scenario = await Scenario.create({ partitions: TROUBLE_PARTITIONS, redisUrl });
    const trouble = new RedisTrouble(scenario, options);
    try {
      await trouble.run.ready(TROUBLE_PARTITIONS);
      if (!options.startsDegraded) await trouble.checkpointsBeyond(0);
    } catch (error) {
      await trouble.close();
      throw error;
    }
    return trouble;
  }

  /** Waits until the stored state of every partition is of an offset beyond that. */
  async checkpointsBeyond(offset: number): Promise<number> {
    const { run } = this;
    const lowest = async (): Promise<number> => {
      const partitions = Array.from({ length: TROUBLE_PARTITIONS }, (_, partition) => partition);
      const stored = await Promise.all(partitions.map((partition) => this.#looked.checkpoint(partition)));
      return Math.min(...stored.map(({ fields }) => Number(fields.get('@offset') ?? -1)));
    };
    return run.until(`checkpoints beyond ${offset}`, async () => {
      const found = await lowest();
      return found > offset && found;
    });
  }

  /** Waits for a line that was logged after the last one that was asked for. */
  async saysNext(text: string): Promise<LogLine> {
    const from = this.#seen;
    return this.run.until(`"${text}" from line ${from} of the log on`, () => {
      const { log } = this.run;
      const at = log.findIndex(({ msg }, index) => index >= from && msg.includes(text));
      if (at >= 0) this.#seen = at + 1;
      return Promise.resolve(log[at]);
    });
  }

  /** Waits until the throttler knows of the fault, then sees alerts flow: decided meanwhile, ready, still DEGRADED. */
  async degraded(): Promise<LogLine> {
    const line = await this.saysNext('DEGRADED: ');
    await this.metricBecomes(1);
    await this.flows();
    expect(await this.run.metric('redis_degraded')).toBe(1);
    return line;
  }

  /** What has come in by now is decided. */
  async flows(): Promise<void> {
    await this.scenario.drained();
    expect((await this.run.readyz()).ok).toBe(true);
    expect(await this.run.health()).toBe(200);
  }

  /** Waits until checkpoints are written again in every partition. */
  async recovered(): Promise<void> {
    await this.saysNext('no longer DEGRADED');
    await this.metricBecomes(0);
  }

  /** kill -9 as it is, and another one. */
  async killAndStart(): Promise<void> {
    await this.run.kill();
    this.start();
    await this.run.ready(TROUBLE_PARTITIONS);
  }

  start(): void {
    this.run = this.scenario.start(this.env);
    this.#seen = 0;
  }

  /** Ends the load, and waits until all intervals are reported: nothing changes any more. */
  async quiet(): Promise<void> {
    this.#ended.abort();
    await this.#fed;
    await this.scenario.agrees();
  }

  /** Ends the load; then output and checkpoints must be what the pure core says, also after a stop. */
  async settled(faults: number): Promise<void> {
    const { scenario, run } = this;
    this.#ended.abort();
    const alerts = await this.#fed;
    const seed = `FAULT_SEED=${this.#seed}`;
    try {
      await scenario.agrees();
      await this.#looked.checkpointsAgree();
    } catch (error) {
      throw new Error(`${seed}; ${String(error)}; it printed:\n${run.service.output.slice(-8000)}`, {
        cause: error,
      });
    }
    expect(await run.metric('digest_mismatches_total'), seed).toBe(0);
    expect(await run.metric('redis_degraded'), seed).toBe(0);
    expect(await run.stop(), seed).toBe(0);
    expect(await scenario.problems(), seed).toEqual([]);
    expect(await this.#looked.checkpointProblems(), seed).toEqual([]);
    tally({ faults, alerts });
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#fed.catch(() => undefined);
    await this.run.kill();
    await this.scenario.close();
  }

  /** The scenario as it is seen with all rights in Redis. */
  get #looked(): Scenario {
    return this.scenario.withRedis(this.redis.ownersUrl);
  }

  async metricBecomes(value: number): Promise<void> {
    const { run } = this;
    await run.until(`redis_degraded ${value}`, async () => (await run.metric('redis_degraded')) === value);
  }
}
