// The broker is away for longer than every client tries, and than a minute's worth of alerts.
import { spawnSync } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tally, waitFor, type RunningService } from '@alert-throttle/test-kit';
import { expect, it } from 'vitest';
import { BrokerProxy } from '../testing/broker-proxy.ts';
import { numberedAlerts } from '../testing/fate-of-alerts.ts';
import { accountFor, faultScene, firstBroker, type FaultScene } from '../testing/fault-scene.ts';
import { startProducer, totalsOf, writeLines } from '../testing/producer-run.ts';

const MINUTE_MS = 60_000;
/** Alerts that a node writes every so often while the test goes on. */
const BURST = 40;
const BURST_MS = 200;
const FILE_ALERTS = 6_000;

/** A producer at a pipe, into which alerts are written for as long as the test goes on. */
class LiveNode {
  readonly nodeId: string;
  readonly service: RunningService;
  given = 0;
  readonly #pipe: WriteStream;

  constructor(scene: FaultScene, nodeId: string, env: Readonly<Record<string, string>>) {
    this.nodeId = nodeId;
    const pipe = join(scene.folder, nodeId);
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const options = { env: { ...env, NODE_ID: nodeId, SPOOL_DIR: join(scene.folder, `${nodeId}-spool`) } };
    this.service = startProducer(scene, pipe, options);
    this.#pipe = createWriteStream(pipe);
  }

  async write(count: number): Promise<void> {
    const lines = numberedAlerts(this.given + 1, count, this.nodeId).map((alert) => JSON.stringify(alert));
    this.given += count;
    if (!this.#pipe.write(`${lines.join('\n')}\n`)) await once(this.#pipe, 'drain');
  }

  end(): void {
    this.#pipe.end();
  }
}

it(
  'after minutes without a broker every alert is sent, or its loss is announced',
  { timeout: 600_000 },
  async () => {
    const scene = await faultScene();
    const proxy = await BrokerProxy.start(firstBroker());
    const env = { KAFKA_BROKERS: proxy.address };
    const small = { ...env, SPOOL_MAX_BYTES: String(1024 * 1024), SPOOL_FULL_WAIT_SEC: '2' };
    const patient = new LiveNode(scene, 'node-with-room', env);
    const full = new LiveNode(scene, 'node-without-room', small);
    const live = [patient, full];
    const file = writeLines(scene.folder, numberedAlerts(1, FILE_ALERTS, 'node-with-file'));
    const fileEnv = { ...small, NODE_ID: 'node-with-file', SPOOL_DIR: join(scene.folder, 'file-spool') };

    const feeding = new AbortController();
    const feed = async (): Promise<void> => {
      while (!feeding.signal.aborted) {
        for (const node of live) await node.write(BURST);
        await sleep(BURST_MS);
      }
      for (const node of live) node.end();
    };
    const fed = feed();
    await waitFor('the first records', () => proxy.produceRequests > 5);

    const sinceMs = Date.now();
    proxy.become('silent');
    const reader = startProducer(scene, file, { env: fileEnv });
    const all = [...live.map(({ service }) => service), reader];
    // A send that was under way has no answer, and the last of its repetitions has none either.
    const gaveUp = /cannot (send|connect):|no answer within/;
    for (const service of all) await service.printed(gaveUp, { timeoutMs: 3 * MINUTE_MS });
    await waitFor('a minute', () => Date.now() - sinceMs > MINUTE_MS, { timeoutMs: 2 * MINUTE_MS });
    await full.service.printed('alerts are lost');
    proxy.become('refusing');
    await reader.printed(/ECONNRESET|closed|hang up/i);
    proxy.become('open');

    await full.service.printed('announced in the stream');
    feeding.abort();
    await fed;
    for (const service of all) expect((await service.exit(2 * MINUTE_MS)).code).toBe(0);
    tally({ faults: proxy.faults });
    expect(totalsOf(patient.service)).toMatchObject({ alertsProduced: patient.given, alertsLost: 0 });
    expect(totalsOf(reader)).toMatchObject({ alertsProduced: FILE_ALERTS, alertsLost: 0 });

    const given = new Map(live.map(({ nodeId, given: count }) => [nodeId, count]));
    const fates = await accountFor(scene, given.set('node-with-file', FILE_ALERTS));
    expect(fates.get('node-with-room')?.lost).toBe(0);
    expect(fates.get('node-with-file')?.lost).toBe(0);
    expect(fates.get('node-without-room')?.lost).toBe(totalsOf(full.service)['alertsLost']);
    expect(fates.get('node-without-room')?.announcements).toBeGreaterThan(0);
  },
);
