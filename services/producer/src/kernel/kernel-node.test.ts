import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@alert-throttle/observability';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cgroups } from './adapters/cgroups.ts';
import { KernelNode } from './kernel-node.ts';
import { alertEvent } from './testing/events.ts';
import { MemoryKernel } from './testing/memory-kernel.ts';
import { quietObserver } from './testing/quiet-observer.ts';

let folder: string;
let nodes: KernelNode[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kernel-node-'));
  mkdirSync(join(folder, 'policies'));
  mkdirSync(join(folder, 'cgroup'));
  nodes = [];
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  rmSync(folder, { recursive: true, force: true });
  // The self-test has a process of its own, which has to end.
}, 60_000);

async function start(kernel: MemoryKernel, cursor: string | undefined): Promise<KernelNode> {
  const node = new KernelNode({
    kernel,
    cgroups: new Cgroups(join(folder, 'cgroup')),
    node: { clusterName: 'c', hostName: 'h', nodeId: 'n' },
    hostMntNs: 1,
    gate: false,
    enforcer: 'BPFLSM',
    stateDir: folder,
    policyDir: join(folder, 'policies'),
    labelsFile: undefined,
    limits: { alertThrottling: true, maxAlertPerSec: 10, throttleSec: 30 },
    postures: {
      defaultFilePosture: 'audit',
      defaultNetworkPosture: 'audit',
      defaultCapabilitiesPosture: 'audit',
    },
    cursor,
    clock: {
      nowMs: () => 0,
      nowMicros: () => 0,
      sleep: () => new Promise((resolve) => setImmediate(resolve)),
    },
    logger: createLogger({ service: 'test', level: 'fatal', format: 'json' }),
    observer: quietObserver,
  });
  nodes.push(node);
  await node.start();
  return node;
}

describe('a producer that starts again', () => {
  /** What the spool has when everything that the first run has made is stored. */
  async function cursorAfter(node: KernelNode): Promise<string | undefined> {
    const { source } = node;
    await source.close();
    let cursor: string | undefined;
    for await (const { records } of source.batches())
      for (const { end } of records) cursor = source.cursorAt(end)?.value ?? cursor;
    return cursor;
  }

  /** Blocks of no container, so that they wait for none. */
  const numbered = (number: number) =>
    ({ ...alertEvent({ number, resource: `/${number}` }), container: 0n }) as const;

  async function resources(node: KernelNode): Promise<string[]> {
    const { source } = node;
    await source.close();
    const found: string[] = [];
    for await (const { records } of source.batches())
      for (const { mapped } of records)
        if (mapped.kind === 'alert' && mapped.alert.Resource !== '') found.push(mapped.alert.Resource);
    return found;
  }

  it('with newer programs on the same rings sends nothing twice', async () => {
    const before = new MemoryKernel();
    const first = await start(before, undefined);
    before.emit(numbered(1), numbered(2));
    const cursor = await cursorAfter(first);
    const after = new MemoryKernel();
    after.numbers = { enforcement: 2n, audit: 0n };
    const second = await start(after, cursor);
    after.emit(numbered(1), numbered(2), numbered(3));
    expect(await resources(second)).toEqual(['/3']);
  });

  it('on rings that were made since discards nothing, although their programs were taken over', async () => {
    const before = new MemoryKernel();
    const first = await start(before, undefined);
    before.emit(numbered(1), numbered(2));
    const cursor = await cursorAfter(first);
    const after = new MemoryKernel();
    after.adopted = true;
    after.ringsId = '8/9';
    const second = await start(after, cursor);
    after.emit(numbered(1), numbered(2));
    expect(await resources(second)).toEqual(['/1', '/2']);
  });

  it('takes out of the kernel the containers that nobody remembers, and are not there', async () => {
    const kernel = new MemoryKernel();
    kernel.registerContainer({
      cgroupId: 4242n,
      descendants: () => [],
      ruleSet: undefined,
      profile: 0,
      privileged: false,
      pidNs: 0,
      mntNs: 0,
      rootDev: 0n,
    });
    await start(kernel, undefined);
    expect(kernel.removed).toContain(4242n);
  });
});
