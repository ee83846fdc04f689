// The whole pipeline as its users run it: KubeArmor's lines into the producer, the throttler behind it, and on the
// throttled topic exactly what the pure core makes of the raw one.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Alert, formatAlert } from '@alert-throttle/alert';
import { containerId, readTopic, runService, topicEnv } from '@alert-throttle/test-kit';
import { Scenario } from '@alert-throttle/throttler/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Event, kubeArmorLine } from './testing/kubearmor-lines.ts';

const CONTAINERS = 20;
const LIMITS = { maxAlertPerSec: 4, throttleSec: 2 };
/** A minute ago: how fast the machine is does not matter for what is decided. */
const STARTED = (Date.now() - 60_000) * 1000;
const LINE_THAT_IS_NONE = '{"Type": "MatchedPolicy"';

const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-e2e-'));
let scenario: Scenario;
let alerts: Alert[];

/** Container i speaks i times in i times 10 ms, and once more after five seconds. */
function events(): Event[] {
  const list: Event[] = [];
  for (let container = 0; container < CONTAINERS; container++) {
    for (let index = 0; index < container; index++) {
      list.push({ container, index, atMicros: STARTED + index * 10_000 + container });
    }
    list.push({ container, index: container, atMicros: STARTED + 5_000_000 + container });
  }
  return list.sort((a, b) => a.atMicros - b.atMicros);
}

beforeAll(async () => {
  scenario = await Scenario.create({ partitions: 6, limits: LIMITS });
  const lines = events().map(kubeArmorLine);
  lines.splice(17, 0, LINE_THAT_IS_NONE);
  lines.push(
    JSON.stringify({ Operation: 'ContainerDeleted', ContainerID: containerId(19), NodeID: 'node-1' }),
  );
  writeFileSync(join(folder, 'alerts.jsonl'), `${lines.join('\n')}\n`);
});

afterAll(async () => {
  await scenario.close();
  rmSync(folder, { recursive: true, force: true });
});

test('given a file in both spellings, then producer and throttler make of it what the pure core says', async () => {
  const throttler = scenario.start();
  const producer = runService('producer', {
    args: ['--source', 'jsonl', '--file', join(folder, 'alerts.jsonl')],
    env: { ...topicEnv(scenario.topics), SPOOL_DIR: join(folder, 'spool'), NODE_ID: 'node-of-the-test' },
  });
  const { code } = await producer.exit();
  expect(code, producer.output).toBe(0);
  await scenario.agrees();
  expect(await throttler.stop()).toBe(0);
  expect(await scenario.problems()).toEqual([]);
  const records = (await scenario.throttled()).filter(({ value }) => value !== null);
  alerts = await scenario.decoded(records);
});

test('then per container that many passed, and that many were dropped', () => {
  for (let container = 0; container < CONTAINERS; container++) {
    const own = alerts.filter(({ ContainerID }) => ContainerID === containerId(container));
    const passed = own.filter(({ Throttle }) => Throttle === null).map(({ Message }) => Message);
    const first = Array.from({ length: Math.min(container, 4) }, (_, index) => `reading ${index}`);
    expect(passed).toEqual([...first, `reading ${container}`]);
    const told = own.filter(({ Throttle }) => Throttle !== null);
    expect(told.map(({ Operation, Throttle }) => [Operation, Throttle?.DroppedAlerts])).toEqual(
      container <= 4
        ? []
        : [
            ['AlertThreshold', 1],
            ['AlertThresholdEnded', container - 4],
          ],
    );
  }
});

test('then an alert says the same in both spellings, and its AlertThreshold reads as KubeArmor writes it', () => {
  const of = (container: number): Alert | undefined =>
    alerts.find(({ ContainerID, Throttle }) => ContainerID === containerId(container) && Throttle === null);
  for (const container of [8, 9]) {
    expect(of(container)).toMatchObject({
      EventTimeMicros: STARTED + container,
      NodeID: `node-${container % 3}`,
      HostName: `host-${container % 3}`,
      PodName: `pod-${container}`,
      ContainerImage: 'docker.io/library/nginx:1.27@sha256:0123456789ab',
      Labels: `app=web-${container}`,
      Owner: { Ref: 'Deployment', Name: `web-${container}`, Namespace: 'shop' },
      ExecEvent: { ExecID: '77', ExecutableName: 'cat' },
      ATags: ['FILE'],
      HostPID: 4711,
      PID: 12,
      Severity: '5',
      Resource: '/etc/passwd0',
    });
  }
  const threshold = alerts.find(
    (one) => one.Operation === 'AlertThreshold' && one.ContainerID === containerId(9),
  );
  const lines = threshold === undefined ? [] : formatAlert(threshold).split('\n');
  for (const line of [
    'ClusterName: default',
    'HostName: host-0',
    'NamespaceName: shop',
    'PodName: pod-9',
    'Labels: app=web-9',
    'ContainerName: web',
    `ContainerID: ${containerId(9)}`,
    'ContainerImage: docker.io/library/nginx:1.27@sha256:0123456789ab',
    'Type: SystemEvent',
    'Operation: AlertThreshold',
    'Enforcer: eBPF Monitor',
    'Result: Passed',
    'DroppingAlertsInterval: 2',
    'MaxAlertsPerSec: 4',
    'Owner: map[Name:web-9 Namespace:shop Ref:Deployment]',
    'PPID: 0',
    'UID: 0',
  ]) {
    expect(lines).toContain(line);
  }
});

test('then the deleted container ends with its tombstone, and the line that is none is a dead letter', async () => {
  const own = (await scenario.throttled()).filter(({ key }) => key?.toString() === containerId(19));
  expect(own.at(-1)?.value).toBeNull();
  const letters = await readTopic(scenario.topics.deadLetter);
  expect(letters.map(({ value }) => value?.toString())).toEqual([LINE_THAT_IS_NONE]);
});
