import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cgroups } from './adapters/cgroups.ts';
import { NodeContainers } from './node-containers.ts';
import { bidFarewell } from './farewell.ts';
import { MemoryKernel } from './testing/memory-kernel.ts';

const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';

/** Folders of which one cannot be read, as while there are no file descriptors left. */
class FailingCgroups extends Cgroups {
  error: Error | undefined;

  override idOf(path: string): bigint | undefined {
    if (this.error && path.includes(ID)) throw this.error;
    return super.idOf(path);
  }
}

let root: string;
let folder: string;
let cgroups: FailingCgroups;
let containers: NodeContainers;
let unseen: unknown[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'containers-'));
  folder = join(root, 'docker', ID);
  mkdirSync(folder, { recursive: true });
  cgroups = new FailingCgroups(root);
  unseen = [];
  containers = new NodeContainers({
    cgroups,
    node: { clusterName: 'c', hostName: 'h', nodeId: 'n' },
    nowMs: () => 0,
    onFound: () => undefined,
    onUnseen: (error) => unseen.push(error),
  });
  containers.scan();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function ended(): boolean[] {
  return containers.all.map(({ removedAtMs }) => removedAtMs !== undefined);
}

function farewell(): void {
  const marks = () => ({ enforcement: 0, audit: 0 });
  bidFarewell({
    kernel: new MemoryKernel(),
    containers,
    marks,
    nowMs: () => 0,
    onGone: () => undefined,
  });
}

describe('containers of the node', () => {
  it('have ended when their cgroup is gone', () => {
    expect(ended()).toEqual([false]);
    rmdirSync(folder);
    containers.scan();
    expect(ended()).toEqual([true]);
    farewell();
    expect(containers.all).toEqual([]);
  });

  it('have not ended because they cannot be seen', () => {
    cgroups.error = Object.assign(new Error('too many open files'), { code: 'EMFILE' });
    containers.scan();
    expect(ended()).toEqual([false]);
    expect(unseen).toEqual([cgroups.error]);
  });

  it('are not forgotten while their cgroup is there', () => {
    containers.removed(statSync(folder, { bigint: true }).ino);
    expect(ended()).toEqual([true]);
    farewell();
    expect(ended()).toEqual([false]);
  });

  it('have all the cgroups below them, at any depth', () => {
    const below = join(folder, ...Array.from({ length: 100 }, () => 'x'));
    mkdirSync(below, { recursive: true });
    expect(cgroups.descendants(`/docker/${ID}`)).toHaveLength(100);
  });

  it('were there before only if they were found at the start', () => {
    containers.started();
    mkdirSync(join(root, 'docker', ID.replace('a', 'b')));
    containers.scan();
    expect(containers.all.map(({ wasThere }) => wasThere)).toEqual([true, false]);
  });
});
