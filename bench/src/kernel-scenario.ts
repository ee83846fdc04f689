// Runs in the guest: measures the same system calls without programs of ours, and then under each rule set.
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  cgroupAt,
  CGROUPS,
  command,
  startContainer,
  type Container,
  type Guest,
} from '@alert-throttle/guest/inside';
import { openKernel, type Kernel, type RuleSetHandle } from '@alert-throttle/kernel';
import { ALL_FILES, FILES, ruleSetOf, type Shape } from './kernel-cases.ts';

/** Instructions of one kind of call: the median of many, and the mean, which has in it what interrupts and readers do. */
export interface Sample {
  readonly median: number;
  readonly mean: number;
  readonly failed: number;
  readonly reason: number;
}

/** What a sample was taken of; those that differ in `rules`, `throttled`, `reader` and `containers` alone compare. */
export interface Row extends Sample {
  readonly where: string;
  readonly call: string;
  readonly path: string;
  readonly depth: number;
  /** `none`: no program is loaded. */
  readonly shape: Shape | 'none';
  readonly rules: number;
  readonly throttled: boolean;
  readonly reader: boolean;
  readonly containers: number;
}

export interface Arguments {
  readonly calls: number;
  /** The folder of the compiled programs, as the guest has it. */
  readonly programs: string;
  /** Of the rule sets. */
  readonly rules: readonly number[];
  /** How many containers there are in the end. */
  readonly containers: number;
}

const METER = '/usr/bin/meter';
const STAMP = '/usr/bin/stamp';
const WRITTEN = FILES.allowed[2];
const EACCES = 13;

type Setting = Pick<Row, 'shape' | 'rules' | 'throttled' | 'reader' | 'containers'>;
const UNLOADED: Setting = { shape: 'none', rules: 0, throttled: false, reader: false, containers: 1 };

interface Place {
  readonly name: string;
  readonly container: Container | undefined;
}

class Bench {
  readonly guest: Guest;
  readonly args: Arguments;

  constructor(guest: Guest) {
    this.guest = guest;
    this.args = guest.args as Arguments;
  }

  async place(name: string, root: 'tmpfs' | 'overlay'): Promise<Place> {
    const files = Object.fromEntries(ALL_FILES.map((path) => [path, 'content']));
    const container = await startContainer(name, { root, files });
    if (container.root === undefined) throw new Error('a container of the bench has a root of its own');
    this.#install(container.root);
    return { name, container };
  }

  /** The guest itself, which is no container. */
  host(): Place {
    this.#install('/');
    for (const path of ALL_FILES) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, 'content');
    }
    return { name: 'outside', container: undefined };
  }

  #install(root: string): void {
    for (const [from, to] of [
      ['meter', METER],
      ['stamp', STAMP],
    ] as const) {
      copyFileSync(join(this.args.programs, from), join(root, to));
      chmodSync(join(root, to), 0o755);
    }
  }

  async measure({ name, container }: Place, call: string, path: string, setting: Setting): Promise<void> {
    const words = [METER, call, path, String(this.args.calls)] as const;
    const text =
      container === undefined ? await command(...words) : ((await container.do('exec', ...words)).data ?? '');
    const sample = JSON.parse(text) as Sample;
    const depth = path.split('/').length - 1;
    this.guest.report('row', { where: name, call, path, depth, ...setting, ...sample });
    const refused = setting.shape !== 'none' && container !== undefined && path.endsWith('/secret');
    if (sample.failed !== (refused ? this.args.calls : 0) || (refused && sample.reason !== EACCES))
      throw new Error(`${name} ${call} ${path}: ${JSON.stringify({ setting, sample })}`);
  }

  async opens(
    place: Place,
    setting: Setting,
    shape: Shape,
    outcome: 'both' | 'allowed' | 'refused' = 'both',
  ) {
    for (const depth of [2, 12] as const) {
      if (outcome !== 'refused') await this.measure(place, 'open', FILES.allowed[depth], setting);
      if (outcome !== 'allowed') await this.measure(place, 'open', FILES[shape][depth], setting);
    }
  }

  async others(place: Place, setting: Setting): Promise<void> {
    await this.measure(place, 'read', WRITTEN, setting);
    await this.measure(place, 'write', WRITTEN, setting);
    await this.measure(place, 'exec', STAMP, setting);
  }
}

class Node {
  readonly kernel: Kernel;
  private handle: RuleSetHandle | undefined;

  constructor(containers: number) {
    const room = containers + 16;
    this.kernel = openKernel({ sizes: { containers: room, members: room, windows: room } });
    this.kernel.activate();
  }

  throttle(on: boolean): void {
    this.kernel.setLimits(0, { alertThrottling: on, maxAlertPerSec: 1, throttleSec: 3600 });
  }

  /** These containers, and all that come after them, have this rule set. */
  rules(shape: Shape, rules: number, places: readonly Place[]): void {
    const before = this.handle;
    this.handle = this.kernel.installRuleSet(ruleSetOf(shape, rules));
    for (const { container } of places) if (container !== undefined) this.#register(container);
    if (before) this.kernel.removeRuleSet(before);
    this.drain();
  }

  #register({ cgroup, pidNs, mntNs, rootDev, rootIno }: Omit<Container, 'do'>): void {
    this.kernel.registerContainer({
      ...{ cgroupId: cgroup.id, pidNs, mntNs, rootDev, rootIno, ruleSet: this.handle },
      descendants: () => [],
      profile: 0,
      privileged: false,
    });
  }

  /** Containers that do nothing, so that there are so many. */
  crowd(containers: number, like: Container): void {
    for (let index = 0; index < containers; index++) {
      const path = join(CGROUPS, `crowd-${index}`);
      mkdirSync(path);
      this.#register({ ...like, cgroup: cgroupAt(path) });
      if (index % 100 === 0) this.drain();
    }
    this.drain();
  }

  drain(): void {
    this.kernel.sweep();
    while (this.kernel.poll().length > 0);
  }
}

export default async function measure(guest: Guest): Promise<void> {
  const bench = new Bench(guest);
  const { rules, containers } = bench.args;
  const [plain, overlay, outside] = [
    await bench.place('tmpfs', 'tmpfs'),
    await bench.place('overlayfs', 'overlay'),
    bench.host(),
  ];
  for (const place of [plain, overlay, outside]) {
    await bench.opens(place, UNLOADED, 'exact');
    await bench.others(place, UNLOADED);
  }
  await bench.opens(plain, UNLOADED, 'directory', 'refused');

  const node = new Node(containers);
  node.throttle(true);
  let setting: Setting = { ...UNLOADED, throttled: true };
  for (const shape of ['exact', 'directory'] as const)
    for (const count of rules) {
      setting = { ...setting, shape, rules: count };
      node.rules(shape, count, [plain, overlay]);
      if (shape === 'exact' && count === 1) await bench.measure(plain, 'open', FILES.allowed[2], setting);
      await bench.opens(plain, setting, shape, count === 1 ? 'allowed' : 'both');
    }
  const middle = rules[Math.min(1, rules.length - 1)] ?? 1;
  setting = { ...setting, shape: 'exact', rules: middle };
  node.rules('exact', middle, [plain, overlay]);
  for (const place of [plain, overlay, outside]) {
    if (place !== plain) await bench.opens(place, setting, 'exact');
    await bench.others(place, setting);
  }

  node.throttle(false);
  await bench.opens(plain, { ...setting, throttled: false }, 'exact', 'refused');
  node.drain();
  node.throttle(true);
  if (containers > 1 && plain.container !== undefined) {
    node.crowd(containers - 2, plain.container);
    await bench.opens(plain, { ...setting, containers }, 'exact');
  }
  node.kernel.start((_events, release) => release());
  await bench.opens(plain, { ...setting, containers, reader: true }, 'exact');
  node.throttle(false);
  await bench.opens(plain, { ...setting, containers, throttled: false, reader: true }, 'exact', 'refused');
}
