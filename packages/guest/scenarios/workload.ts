// Every kind of container that scenarios use, and some of what the workload can do in it.
import { startContainer, startRunc, type Container, type Guest } from '@alert-throttle/guest/inside';

export default async function workload(guest: Guest): Promise<void> {
  const files = { '/etc/secret': 'of the pod' };
  for (const root of ['tmpfs', 'overlay', 'host'] as const)
    await look(guest, root, await startContainer(`kind-${root}`, { root, files }));
  await look(guest, 'runc', await startRunc('kind-runc', { files }));
}

async function look(guest: Guest, kind: string, container: Container): Promise<void> {
  const { name, cgroup, pidNs, mntNs, rootDev } = container;
  const beside = await container.enter({ uid: 1000 });
  const [unshared, again] = await container.child(['unshare', 'mnt'], ['read', '/etc/secret']);
  guest.report('container', {
    kind,
    ...{ name, cgroup: cgroup.id, pidNs, mntNs, rootDev },
    read: await container.do('read', '/etc/secret'),
    absent: await container.do('open', '/etc/with a blank', 'r'),
    runs: await container.do('exec', '/bin/busybox', 'echo', 'a b'),
    hammered: await container.do('parallel', 2, 500, 'open', '/etc/nothing', 'r'),
    ids: await beside.do('ids'),
    child: { unshared, again },
  });
  await container.stop();
}
