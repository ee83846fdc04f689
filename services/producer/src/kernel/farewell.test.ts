import { beforeEach, describe, expect, it } from 'vitest';
import { Cgroups } from './adapters/cgroups.ts';
import { NodeContainers } from './node-containers.ts';
import type { Marks } from './core/ring-ledger.ts';
import { bidFarewell } from './farewell.ts';
import { MemoryKernel } from './testing/memory-kernel.ts';

const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';

let nowMs: number;
let kernel: MemoryKernel;
let containers: NodeContainers;
let marks: Marks;
let gone: string[];

beforeEach(() => {
  nowMs = 0;
  kernel = new MemoryKernel();
  marks = { enforcement: 0, audit: 0 };
  gone = [];
  containers = new NodeContainers({
    cgroups: new Cgroups('/nonexistent'),
    node: { clusterName: 'c', hostName: 'h', nodeId: 'n' },
    nowMs: () => nowMs,
    onFound: () => undefined,
    onUnseen: () => undefined,
  });
  containers.created(7n, `/docker/${ID}`, undefined);
});

function tick(): string[] {
  bidFarewell({
    kernel,
    containers,
    marks: () => marks,
    nowMs: () => nowMs,
    onGone: ({ cgroupId }, hasSuccessor) => gone.push(`${cgroupId}${hasSuccessor ? ' goes on' : ''}`),
  });
  return gone;
}

describe('bidFarewell', () => {
  it('leaves a container alone that is there', () => {
    expect(tick()).toEqual([]);
  });

  it('waits until the kernel has brought out its report, and that has been read', () => {
    containers.removed(7n);
    kernel.throttled = [7n];
    expect(tick()).toEqual([]);
    kernel.throttled = [];
    kernel.numbers = { enforcement: 20n, audit: 9n };
    expect(tick()).toEqual([]);
    kernel.numbers = { enforcement: 30n, audit: 30n };
    marks = { enforcement: 20, audit: 8 };
    expect(tick()).toEqual([]);
    marks = { enforcement: 20, audit: 9 };
    expect(tick()).toEqual(['7']);
    expect(containers.get(7n)).toBeUndefined();
    expect(tick()).toEqual(['7']);
  });

  it('does not wait for ever', () => {
    containers.removed(7n);
    kernel.throttled = [7n];
    nowMs = 59_999;
    expect(tick()).toEqual([]);
    nowMs = 60_000;
    expect(tick()).toEqual(['7']);
  });

  it('says so where the container goes on in another cgroup', () => {
    containers.removed(7n);
    containers.created(8n, `/docker/${ID}`, undefined);
    expect(tick()).toEqual(['7 goes on']);
  });

  it('knows containers of an earlier run that are not there any more', () => {
    const identity = containers.identityOf(7n) ?? expect.unreachable();
    containers.remember([
      { cgroupId: '7', cgroupPath: '/docker/x', identity },
      { cgroupId: '9', cgroupPath: '/docker/y', identity: { ...identity, ContainerID: 'y' } },
    ]);
    expect(containers.identityOf(9n)?.ContainerID).toBe('y');
    expect(tick()).toEqual(['9']);
    expect(containers.get(7n)?.removedAtMs).toBeUndefined();
  });
});
