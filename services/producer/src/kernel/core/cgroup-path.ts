// Which container a cgroup is, from its path alone: the kernel tells of cgroups, and runtimes name them after containers.
//
// A pod's sandbox ("pause") is named like a container, and nothing in the path tells them apart: it counts as one.

export interface ContainerPath {
  /** As the runtime knows it: 64 hexadecimal digits, but for buildkit; of a listed one its cgroup. */
  readonly id: string;
  readonly runtime: Runtime;
  /** Of the container itself, where the path given lies below it. */
  readonly cgroupPath: string;
}

export const RUNTIMES = ['docker', 'containerd', 'cri-o', 'podman', 'buildkit', 'unknown'] as const;
export type Runtime = (typeof RUNTIMES)[number];

const ID = '([0-9a-f]{64})';

/** Prefixes of scopes (systemd driver), of folders (cgroupfs driver), and of the form that mixes both with colons. */
const PREFIXES: Readonly<Record<string, Runtime>> = {
  docker: 'docker',
  'cri-containerd': 'containerd',
  nerdctl: 'containerd',
  containerd: 'containerd',
  crio: 'cri-o',
  libpod: 'podman',
  'libpod-payload': 'podman',
};
const PREFIXED = new RegExp(`^(${Object.keys(PREFIXES).join('|')})-${ID}(?:\\.scope)?$`);
const COLONS = new RegExp(`:(${Object.keys(PREFIXES).join('|')}):${ID}$`);
const BARE = new RegExp(`^${ID}$`);

/** BuildKit's ids are 25 letters and digits; its cgroups lie in `buildkit` under Docker's. */
const BUILDKIT_ID = /^[0-9a-z]{25}$/;

/**
 * The container that the cgroup is, or lies in. The outermost one counts: what a container makes below its own cgroup,
 * whatever it calls it, remains part of it. Undefined for all other cgroups, those of the runtimes' helpers (conmon) included.
 * What is listed is a container under any name; where the name shows no id, the path is its id.
 */
export function containerOfCgroup(
  path: string,
  isListed: (cgroupPath: string) => boolean = () => false,
): ContainerPath | undefined {
  const parts = path.split('/');
  for (const [index, part] of parts.entries()) {
    if (part === '') continue;
    const cgroupPath = parts.slice(0, index + 1).join('/');
    const found = containerNamed(part, parts[index - 1]);
    if (found) return { ...found, cgroupPath };
    if (isListed(cgroupPath)) return { id: cgroupPath, runtime: 'unknown', cgroupPath };
  }
  return undefined;
}

function containerNamed(name: string, parent = ''): Pick<ContainerPath, 'id' | 'runtime'> | undefined {
  const prefixed = PREFIXED.exec(name) ?? COLONS.exec(name);
  if (prefixed) return { id: prefixed[2] ?? '', runtime: PREFIXES[prefixed[1] ?? ''] ?? 'unknown' };
  if (parent === 'buildkit' && BUILDKIT_ID.test(name)) return { id: name, runtime: 'buildkit' };
  if (!BARE.test(name)) return undefined;
  // Below a pod, cgroupfs paths look alike for every runtime.
  return { id: name, runtime: parent === 'docker' ? 'docker' : 'unknown' };
}
