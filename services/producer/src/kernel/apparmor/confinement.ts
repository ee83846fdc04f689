// AppArmor on this node, as the kernel source needs it: profiles for its containers, and a look at whether the containers
// are under them. A profile holds only who was started under it: that is up to whoever starts containers, so a container
// under another profile, or none, is named until it is gone.
import {
  confinementOf,
  loadProfile,
  profileName,
  profilesInUse,
  removeProfile,
} from '@alert-throttle/apparmor';
import { reasonOf } from '../../errors.ts';
import type { Cgroups } from '../adapters/cgroups.ts';
import { nameOf, NAMELESS_NAMESPACE, type LabelEntry, type Labels } from '../core/labels.ts';
import { policyRefused } from '../core/node-events.ts';
import type { NodeContainer } from '../core/node-container.ts';
import type { KernelPort } from '../kernel-port.ts';
import type { Voice } from '../voice.ts';
import { confiningKernel } from './confining-kernel.ts';
import { Profiles, type ProfileLoader } from './profiles.ts';

/** Of the self-test's own cgroup. */
export const SELF_TEST_PROFILE_NAME = 'alert-throttle-self-test';

const LOADER: ProfileLoader = { load: loadProfile, remove: removeProfile, inUse: profilesInUse };
const LOOK_MS = 10_000;
/** Of one container, in one look. */
const MAX_PROCESSES = 256;

export interface Node {
  readonly containers: { readonly all: readonly NodeContainer[]; get(id: bigint): NodeContainer | undefined };
  readonly cgroups: Pick<Cgroups, 'processes'>;
  readonly voice: Voice;
}

export class Confinement {
  /** Rules go into it, and into the profiles on the way. */
  readonly kernel: KernelPort;
  readonly #profiles = new Profiles(LOADER);
  /** Why a container's rules are not enforced, by its cgroup. */
  readonly #unconfined = new Map<bigint, string>();
  readonly #conflicts = new Set<string>();
  #node: Node | undefined;
  #timer: NodeJS.Timeout | undefined;
  #missed = 0n;

  constructor(kernel: KernelPort) {
    this.kernel = confiningKernel(kernel, this.#profiles, {
      nameOf: (cgroupId) => this.#nameOf(cgroupId),
      onClose: () => clearInterval(this.#timer),
    });
  }

  /** Containers of this node whose rules are not enforced, with the reason, by their id. */
  get unconfined(): Readonly<Record<string, string>> {
    const named = [...this.#unconfined].map(([cgroupId, reason]): [string, string] => [
      this.#node?.containers.get(cgroupId)?.known.identity.ContainerID ?? String(cgroupId),
      reason,
    ]);
    return Object.fromEntries(named);
  }

  attach(node: Node): void {
    this.#node = node;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Containers of these labels may start, and their runtime asks for the profile before they are seen. */
  expect(labels: Labels): void {
    try {
      this.#profiles.expect(labels.entries.flatMap((entry) => expectedName(entry) ?? []));
    } catch (error) {
      this.#node?.voice.logger.error({ error: reasonOf(error) }, `AppArmor profiles: ${reasonOf(error)}`);
    }
  }

  /** Who is confined, and which profiles are not needed any more. */
  look(): void {
    const node = this.#node;
    if (node === undefined) return;
    try {
      for (const container of node.containers.all) this.#lookAt(node, container);
      for (const cgroupId of this.#unconfined.keys())
        if (node.containers.get(cgroupId) === undefined) this.#unconfined.delete(cgroupId);
      this.#tellConflicts(node);
      this.#tellMissedRuns(node);
      this.#profiles.tidy();
    } catch (error) {
      node.voice.logger.error({ error: reasonOf(error) }, `AppArmor: ${reasonOf(error)}`);
    }
  }

  #nameOf(cgroupId: bigint): string | undefined {
    const container = this.#node?.containers.get(cgroupId);
    return container === undefined ? SELF_TEST_PROFILE_NAME : profileOfContainer(container);
  }

  #lookAt(node: Node, container: NodeContainer): void {
    const reason = reasonFor(node, container);
    if (reason === this.#unconfined.get(container.cgroupId)) return;
    if (reason === undefined) {
      this.#unconfined.delete(container.cgroupId);
      return;
    }
    this.#unconfined.set(container.cgroupId, reason);
    const { identity } = container.known;
    const policies = container.enforced?.policies ?? [];
    const message = `Block rules are not enforced: ${reason}`;
    node.voice.observer.refused('rule set');
    node.voice.logger.error(
      { container: identity.ContainerID, policies },
      `container ${identity.ContainerID}: ${message}`,
    );
    node.voice.say((origin) => policyRefused(origin, policies.join(','), message), identity);
  }

  #tellConflicts({ voice }: Node): void {
    const conflicts = new Set(this.#profiles.conflicts);
    for (const name of conflicts) {
      if (this.#conflicts.has(name)) continue;
      const message = `containers with different policies share the profile ${name}: the newest one's rules are enforced for all of them`;
      voice.logger.error({ profile: name }, message);
      voice.say((origin) => policyRefused(origin, '', message));
    }
    this.#conflicts.clear();
    for (const name of conflicts) this.#conflicts.add(name);
  }

  /** What AppArmor refuses is refused; but of so many refusals nobody may have heard. */
  #tellMissedRuns({ voice }: Node): void {
    const missed = this.kernel.programs().reduce((sum, { recursionMisses }) => sum + recursionMisses, 0n);
    if (missed <= this.#missed) return;
    const message = `the kernel has left out ${missed - this.#missed} runs of programs that watch AppArmor: counts and alerts are short by at most so many`;
    this.#missed = missed;
    voice.logger.warn({ missed: String(missed) }, message);
    voice.say((origin) => policyRefused(origin, '', message));
  }
}

/** As KubeArmor names them; the container's name is its label's, or that of its cgroup. */
export function profileOfContainer({ known }: NodeContainer): string | undefined {
  const { identity, place } = known;
  const owner = identity.Owner?.Name ?? identity.PodName;
  const container = identity.ContainerName === '' ? nameOf(place.cgroupPath) : identity.ContainerName;
  return profileName({ namespace: identity.NamespaceName, owner, container });
}

function expectedName({
  name,
  namespace = NAMELESS_NAMESPACE,
  owner,
  pod = '',
}: LabelEntry): string | undefined {
  return name === undefined
    ? undefined
    : profileName({ namespace, owner: owner?.name ?? pod, container: name });
}

/** Undefined: it is confined, or has nothing that it would have to be confined for. */
function reasonFor({ cgroups }: Node, container: NodeContainer): string | undefined {
  const { enforced, life, known } = container;
  if (enforced?.handle === undefined || life.phase !== 'running') return undefined;
  const name = profileOfContainer(container);
  for (const pid of processesOf(cgroups, known.place.cgroupPath)) {
    const confinement = confinementOf(pid);
    // Gone, or on its way out.
    if (confinement === undefined || confinement === '') continue;
    if (confinement !== `${name} (enforce)`)
      return `process ${pid} runs ${confinement === 'unconfined' ? 'unconfined' : `under ${confinement}`}, not under ${name}`;
  }
  return undefined;
}

function processesOf(cgroups: Pick<Cgroups, 'processes'>, path: string): number[] {
  try {
    return [...cgroups.processes(path)].slice(0, MAX_PROCESSES);
  } catch {
    // Gone meanwhile.
    return [];
  }
}
