import { describe, expect, it } from 'vitest';
import { containerOfCgroup } from './cgroup-path.ts';

const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';
const POD = 'pod8f2a1d3c-1111-2222-3333-444455556666';
const SLICE = `kubepods-burstable-${POD.replaceAll('-', '_')}.slice`;

describe('containerOfCgroup', () => {
  it.each([
    [`/system.slice/docker-${ID}.scope`, 'docker'],
    [`/docker/${ID}`, 'docker'],
    [`/kubepods.slice/kubepods-burstable.slice/${SLICE}/cri-containerd-${ID}.scope`, 'containerd'],
    [`/kubepods.slice/kubepods-besteffort.slice/${SLICE}/crio-${ID}.scope`, 'cri-o'],
    [`/kubepods/burstable/${POD}/${ID}`, 'unknown'],
    [`/kubepods/${POD}/crio-${ID}`, 'cri-o'],
    [`/system.slice/containerd.service/${SLICE}:cri-containerd:${ID}`, 'containerd'],
    [`/machine.slice/libpod-${ID}.scope`, 'podman'],
    [`/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope`, 'podman'],
    [`/libpod_parent/libpod-${ID}`, 'podman'],
    [`/k8s.io/${ID}`, 'unknown'],
    [`/ecs/0123456789/${ID}`, 'unknown'],
  ])('%s', (path, runtime) => {
    expect(containerOfCgroup(path)).toEqual({ id: ID, runtime, cgroupPath: path });
  });

  it('knows the containers of BuildKit', () => {
    expect(containerOfCgroup('/docker/buildkit/x3k1v8w0q2m4n6p8r0t2y4u6i')).toMatchObject({
      id: 'x3k1v8w0q2m4n6p8r0t2y4u6i',
      runtime: 'buildkit',
    });
  });

  it.each([
    '/',
    '/system.slice/docker.service',
    `/kubepods.slice/${SLICE}`,
    `/kubepods/burstable/${POD}`,
    `/kubepods.slice/${SLICE}/crio-conmon-${ID}.scope`,
    `/machine.slice/libpod-conmon-${ID}.scope`,
    `/system.slice/docker-${ID.slice(1)}.scope`,
    '/system.slice/ssh.service',
  ])('%s is no container', (path) => {
    expect(containerOfCgroup(path)).toBeUndefined();
  });

  it('takes what lies below a container as part of it, whatever it is called', () => {
    const own = `/system.slice/docker-${ID}.scope`;
    const other = ID.replace('a', 'b');
    for (const below of ['/init.scope', `/docker/${other}`, `/cri-containerd-${other}.scope`])
      expect(containerOfCgroup(own + below)).toEqual({ id: ID, runtime: 'docker', cgroupPath: own });
  });

  it('takes what is listed under any name, and what lies below', () => {
    const isListed = (path: string): boolean => path === '/machine/web';
    const web = { id: '/machine/web', runtime: 'unknown', cgroupPath: '/machine/web' };
    expect(containerOfCgroup('/machine/web', isListed)).toEqual(web);
    expect(containerOfCgroup(`/machine/web/docker-${ID}.scope`, isListed)).toEqual(web);
    expect(containerOfCgroup('/machine', isListed)).toBeUndefined();
  });
});
