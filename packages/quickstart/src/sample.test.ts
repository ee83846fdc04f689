import { describe, expect, it } from 'vitest';
import { planSample, SAMPLE_MS, type SampleContainer, type SampleLine } from './sample.ts';

const START_MICROS = 1_769_151_731_123_456;

function plan(maxAlertPerSec: number): SampleLine[] {
  let next = 0;
  return planSample({ maxAlertPerSec }, () => (next++).toString(16).padStart(64, '0'));
}

function linesOf(lines: readonly SampleLine[], container: SampleContainer): SampleLine[] {
  return lines.filter((line) => line.container === container);
}

function parsed(line: SampleLine): Record<string, unknown> {
  return JSON.parse(line.text(START_MICROS + line.atMs * 1000)) as Record<string, unknown>;
}

function mostInOneSecond(lines: readonly SampleLine[]): number {
  return Math.max(
    ...lines.map(({ atMs }) => lines.filter((one) => one.atMs >= atMs && one.atMs < atMs + 1000).length),
  );
}

describe('the sample', () => {
  it('has the same number of lines each time, in the order of time', () => {
    const lines = plan(10);
    const counts = Object.groupBy(lines, (line) => line.container);
    expect(Object.fromEntries(Object.entries(counts).map(([name, of]) => [name, of.length]))).toEqual({
      flood: 210,
      busy: 72,
      quiet: 5,
      blocked: 30,
      deleted: 5,
      host: 2,
    });
    expect(lines.map((line) => line.atMs)).toEqual(lines.map((line) => line.atMs).sort((a, b) => a - b));
    expect(Math.max(...lines.map((line) => line.atMs))).toBeLessThan(SAMPLE_MS);
  });

  it.each([1, 2, 10, 150])('floods above a threshold of %d, and is busy just below it', (maxAlertPerSec) => {
    const lines = plan(maxAlertPerSec);
    expect(mostInOneSecond(linesOf(lines, 'flood'))).toBeGreaterThan(3 * maxAlertPerSec);
    expect(mostInOneSecond(linesOf(lines, 'busy'))).toBeLessThanOrEqual(maxAlertPerSec);
    expect(mostInOneSecond(linesOf(lines, 'quiet'))).toBe(1);
  });

  it('stays bounded with the largest threshold', () => {
    expect(plan(100_000).length).toBeLessThan(20_000);
  });

  it('writes the moment into the alert, to the microsecond', () => {
    const [line] = linesOf(plan(10), 'flood');
    expect(JSON.parse(line?.text(START_MICROS) ?? '')).toMatchObject({
      Timestamp: 1_769_151_731,
      UpdatedTime: '2026-01-23T07:02:11.123456Z',
    });
  });

  it('spells alerts as the feed does, with every field that a user would look for', () => {
    const [line] = linesOf(plan(10), 'flood');
    expect(line && parsed(line)).toMatchObject({
      ClusterName: 'default',
      NamespaceName: 'wordpress-mysql',
      PodName: 'wordpress-586468bf4f-8bf6x',
      Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
      ContainerID: '0'.repeat(64),
      Type: 'MatchedPolicy',
      Operation: 'File',
      Enforcer: 'eBPF Monitor',
      Action: 'Audit',
      Resource: '/var/www/html/wp-config.php',
      ATags: ['NIST', 'NIST_800-53_AC-6', 'MITRE_T1552_unsecured_credentials'],
      PPID: 1,
      UID: 33,
    });
  });

  it('spells others as the log file does', () => {
    const [line] = linesOf(plan(10), 'busy');
    const alert = line ? parsed(line) : {};
    expect(alert).toMatchObject({
      timestamp: 1_769_151_731,
      containerID: '1'.padStart(64, '0'),
      hostPid: 495_877,
      hostPPid: 495_804,
      uid: 999,
      owner: { ref: 'Deployment', name: 'mysql', namespace: 'wordpress-mysql' },
      atags: ['CIS', 'PCI_DSS'],
      oid: 0,
    });
    expect(Object.keys(alert).filter((name) => /^[A-Z]/.test(name))).toEqual([]);
  });

  it('blocks in the kernel, on the host too, and deletes a container after its last alert', () => {
    const lines = plan(10);
    for (const line of linesOf(lines, 'blocked'))
      expect(parsed(line)).toMatchObject({
        Enforcer: 'BPFLSM',
        Action: 'Block',
        Result: 'Permission denied',
      });
    const [host] = linesOf(lines, 'host');
    expect(host && parsed(host)).toMatchObject({
      Type: 'MatchedHostPolicy',
      HostName: 'worker-1',
    });
    expect(host && parsed(host)).not.toHaveProperty('ContainerID');
    const deleted = linesOf(lines, 'deleted');
    const last = deleted.at(-1);
    expect(last && parsed(last)).toEqual({
      Operation: 'ContainerDeleted',
      ContainerID: (deleted[0] && parsed(deleted[0]))?.['containerID'],
    });
  });
});
