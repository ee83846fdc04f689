import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cgroup2Mount } from './cgroups.ts';
import { factsOf, isPrivileged, oldest, rootMount } from './processes.ts';

describe('factsOf', () => {
  it('knows a process that is not in a container', () => {
    const facts = factsOf(process.pid);
    expect(facts?.pid).toBe(process.pid);
    expect(facts?.ownProgram).toBe(true);
    expect(facts?.mntNs).toBeGreaterThan(0);
    expect(facts?.pidNs).toBeGreaterThan(0);
  });

  it('knows nothing of one that is gone', () => {
    expect(factsOf(2 ** 22 + 1)).toBeUndefined();
  });
});

describe('oldest', () => {
  it('is the one that began first, and none that is gone', async () => {
    const child = spawn('sleep', ['60']);
    onTestFinished(() => void child.kill());
    await once(child, 'spawn');
    expect(oldest([child.pid ?? 0, process.pid, 2 ** 22 + 1])).toBe(process.pid);
    expect(oldest([2 ** 22 + 1])).toBeUndefined();
  });
});

describe('isPrivileged', () => {
  it.each([
    ['000001ffffffffff', true],
    ['00000000a80425fb', false],
    ['0000000000200000', true],
  ])('%s: %s', (bounding, expected) => {
    expect(isPrivileged(`Name:\tx\nCapEff:\t0000000000000000\nCapBnd:\t${bounding}\nSeccomp:\t0\n`)).toBe(
      expected,
    );
  });

  it('is not assumed', () => {
    expect(isPrivileged('')).toBe(false);
  });
});

describe('rootMount', () => {
  it('is the last mount on the root, its device as the kernel writes it', () => {
    const text = [
      '21 1 8:1 / / rw - ext4 /dev/root rw',
      '22 21 0:20 / /proc rw - proc proc rw',
      '40 21 0:45 / / rw,relatime - overlay overlay rw',
      '',
    ].join('\n');
    expect(rootMount(text)).toEqual({ device: 45n, isWhole: true });
    expect(rootMount('21 1 259:3 /roots/web / rw - ext4 /dev/root rw')).toEqual({
      device: (259n << 20n) | 3n,
      isWhole: false,
    });
    expect(rootMount('')).toEqual({ device: 0n, isWhole: true });
  });
});

describe('cgroup2Mount', () => {
  it('finds the whole hierarchy, of version 2, wherever it is', () => {
    const text = [
      '25 20 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro',
      '26 25 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
      '30 20 0:26 /kubepods/pod1 /elsewhere rw - cgroup2 cgroup2 rw',
      '27 25 0:26 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw,nsdelegate',
    ].join('\n');
    expect(cgroup2Mount(text)).toBe('/sys/fs/cgroup/uni fied');
    expect(cgroup2Mount('')).toBeUndefined();
  });
});
