// `npm start` as a whole, without a terminal, against the servers of the test run.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkout,
  RunningService,
  testKafka,
  testStack,
  uniqueName,
  waitFor,
} from '@alert-throttle/test-kit';
import { describe, expect, it, onTestFinished } from 'vitest';

interface Run {
  readonly service: RunningService;
  readonly group: string;
  /** What a service of the run has logged so far. */
  readonly log: (name: string) => string;
}

/** A run with topics, group and folder of its own. */
function start(args: readonly string[] = [], env: Record<string, string> = {}, input?: string): Run {
  const folder = mkdtempSync(join(tmpdir(), 'quickstart-'));
  const name = uniqueName('start');
  const child = spawn(process.execPath, [join(checkout, 'packages/quickstart/src/main.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      STACK_DIR: folder,
      RAW_TOPIC: `${name}.raw`,
      THROTTLED_TOPIC: `${name}.throttled`,
      DEAD_LETTER_TOPIC: `${name}.dead-letter`,
      TOPIC_PARTITIONS: '3',
      CONSUMER_GROUP: name,
      THROTTLE_SEC: '3',
      ...testStack(),
      ...env,
    },
  });
  if (input !== undefined) child.stdin.end(input);
  const service = new RunningService('npm start', child);
  onTestFinished(async () => {
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const runs = join(folder, 'logs', 'npm-start');
  const log = (file: string): string =>
    readFileSync(join(runs, readdirSync(runs)[0] ?? '', `${file}.log`), 'utf8');
  return { service, group: name, log };
}

/** Cells of the summary's rows, by the container's name. */
function summaryOf(output: string): Record<string, string[]> {
  const rows = output.split('\n').filter((line) => line.startsWith('│ '));
  return Object.fromEntries(
    rows.map((row) => {
      const [name = '', ...cells] = row
        .slice(1, -1)
        .split('│')
        .map((cell) => cell.trim());
      return [name, cells];
    }),
  );
}

async function viewGroups(): Promise<string[]> {
  const admin = testKafka().admin();
  await admin.connect();
  const { groups } = await admin.listGroups();
  await admin.disconnect();
  return groups.map(({ groupId }) => groupId).filter((id) => id.startsWith('alert-throttle-view-'));
}

function auditAlert(container: string, atSeconds: number): string {
  return JSON.stringify({
    Timestamp: atSeconds,
    ContainerID: container,
    NamespaceName: 'mine',
    PodName: 'pod',
    ContainerName: container,
    Type: 'MatchedPolicy',
    Operation: 'File',
    Action: 'Audit',
    Enforcer: 'eBPF Monitor',
    PolicyName: 'my-policy',
  });
}

describe('npm start', () => {
  it('throttles its sample, and every count adds up', async () => {
    const groupsBefore = await viewGroups();
    const { service, log } = start();
    expect(await service.exit(100_000)).toEqual({ code: 0, signal: null });
    const output = service.stdout;
    // Above 10 a second the container is silent for 3 s: twice, since it floods for 5 s and goes on for 2.5 s.
    expect(summaryOf(output)).toEqual({
      container: ['seen', 'passed', 'dropped', 'AlertThreshold'],
      'wordpress-mysql/wordpress-586468bf4f-8bf6x/wordpress': ['210', '24', '186', '2'],
      'wordpress-mysql/mysql-76ddc6ddc4-h47hv/mysql': ['72', '72', '0', '0'],
      'multiubuntu/ubuntu-1-deployment-5d6b975744-rrkhh/ubuntu-1-container': ['30', '30', '0', '0'],
      'default/vault-0/vault': ['5', '5', '0', '0'],
      'multiubuntu/backup-28934210-x7kq9/backup (deleted)': ['4', '4', '0', '0'],
      'host worker-1': ['2', '2', '0', '0'],
      total: ['323', '137', '186', '2'],
    });
    expect(output).toContain(
      'The counts add up: 323 seen = 137 passed + 186 dropped, and AlertThresholdEnded reported 186.',
    );
    expect(output.match(/^ {4}Operation: AlertThreshold$/gm)).toHaveLength(2);
    expect(output).toContain('    MaxAlertsPerSec: 10\n');
    expect(output).toContain('    DroppingAlertsInterval: 3\n');
    expect(output).toContain('    Owner: map[Name:wordpress Namespace:wordpress-mysql Ref:Deployment]\n');
    expect(service.stderr).toBe('');
    expect(log('throttler')).toContain('"stopping"');
    expect(await viewGroups()).toEqual(groupsBefore);
  });

  it("takes the user's file, and tells what could not be read", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'quickstart-file-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'alerts.jsonl');
    const lines = [
      ...Array.from({ length: 25 }, () => auditAlert('mine-1', 1_700_000_000)),
      '{"broken',
      '[1]',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const { service } = start(['--file', file], { MAX_ALERT_PER_SEC: '5', THROTTLE_SEC: '2' });
    expect(await service.exit(100_000)).toEqual({ code: 0, signal: null });
    expect(summaryOf(service.stdout)['mine/pod/mine-1']).toEqual(['25', '5', '20', '1']);
    expect(service.stdout).toContain('2 records went to the dead-letter topic');
    expect(service.stdout).toContain('20 alerts dropped: 20 by my-policy');
  });

  it('reads standard input, and goes on with --follow until it is told to stop', async () => {
    const { service, log } = start(
      ['--file', '-', '--follow'],
      {},
      `${auditAlert('mine-2', 1_700_000_000)}\n`,
    );
    await service.printed('1 seen, 1 passed, 0 dropped; everything came through', { timeoutMs: 100_000 });
    expect(service.running).toBe(true);
    service.kill('SIGINT');
    expect(await service.exit()).toEqual({ code: 0, signal: null });
    expect(service.stdout).toContain('The counts add up: 1 seen = 1 passed + 0 dropped');
    expect(log('throttler')).toContain('"stopping"');
  });

  it('stops in the middle, and leaves nothing behind', async () => {
    const { service, group, log } = start();
    await service.printed('Sending a sample', { timeoutMs: 100_000 });
    service.kill('SIGTERM');
    expect(await service.exit()).toEqual({ code: 130, signal: null });
    expect(service.stdout).toContain('Stopped before the end');
    expect(log('throttler')).toContain('"stopping"');
    const admin = testKafka().admin();
    await admin.connect();
    onTestFinished(() => admin.disconnect());
    await waitFor('the throttler to have left its group', async () => {
      const { groups } = await admin.describeGroups([group]);
      return groups[0]?.members.length === 0;
    });
  });

  it('shows the end of the log of a service that fails', async () => {
    const { service } = start([], { START_FROM: 'nowhere' });
    expect(await service.exit()).toEqual({ code: 1, signal: null });
    expect(service.stderr).toContain('the throttler ended unexpectedly (exit code 78)');
    expect(service.stderr).toContain('START_FROM');
  });

  it('refuses wrong limits before it starts anything', async () => {
    const { service } = start([], { MAX_ALERT_PER_SEC: '0' });
    expect(await service.exit()).toEqual({ code: 78, signal: null });
    expect(service.stderr).toContain('MAX_ALERT_PER_SEC');
  });
});
