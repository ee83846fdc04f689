import { describe, expect, it } from 'vitest';
import { containerAt } from './container.ts';
import { NO_LABELS, nameOf, parseLabels } from './labels.ts';

const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';
const node = { clusterName: 'default', hostName: 'h', nodeId: 'n1' };

const TEXT = `
containers:
  - match: { id: ${ID.slice(0, 12)} }
    name: wordpress
    namespace: wordpress-mysql
    pod: wordpress-0
    image: docker.io/library/wordpress:4.8-apache
    labels: { app: wordpress, revision: 7 }
    owner: { ref: Deployment, name: wordpress }
    annotations: { kubearmor-policy: audited }
  - match: { name: web }
    name: by name
  - match: { cgroup: /machine/special }
    name: by cgroup
`;

describe('the file of labels', () => {
  it('says who a container is, by the beginning of its id', () => {
    const known = containerAt(`/docker/${ID}`, parseLabels(TEXT), node);
    expect(known?.identity).toEqual({
      ClusterName: 'default',
      HostName: 'h',
      NodeID: 'n1',
      ContainerID: ID,
      ContainerName: 'wordpress',
      NamespaceName: 'wordpress-mysql',
      PodName: 'wordpress-0',
      ContainerImage: 'docker.io/library/wordpress:4.8-apache',
      Labels: 'app=wordpress,revision=7',
      Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
    });
    expect(known?.subject).toMatchObject({
      namespace: 'wordpress-mysql',
      labels: { app: 'wordpress', revision: '7' },
      containerName: 'wordpress',
      podAnnotations: { 'kubearmor-policy': 'audited' },
    });
  });

  it('makes a container of what it names by path or by name', () => {
    const labels = parseLabels(TEXT);
    expect(containerAt('/machine/special', labels, node)?.identity).toMatchObject({
      ContainerID: '/machine/special',
      ContainerName: 'by cgroup',
    });
    expect(containerAt('/system.slice/runc-web.scope', labels, node)?.identity).toMatchObject({
      ContainerID: '/system.slice/runc-web.scope',
      ContainerName: 'by name',
    });
    expect(containerAt('/machine/special/below', labels, node)).toBeUndefined();
  });

  it('need not name a container: it is in the default namespace then', () => {
    const known = containerAt(`/docker/${ID}`, NO_LABELS, node);
    expect(known?.identity).toMatchObject({ ContainerID: ID, NamespaceName: 'default', ContainerName: '' });
    expect(known?.subject).toMatchObject({ namespace: 'default', labels: {} });
  });

  it.each(['', '\n', 'containers:\n', 'containers: []\n'])('may be empty: %j', (text) => {
    expect(parseLabels(text).find({ id: ID, cgroupPath: '/x' })).toBeUndefined();
  });

  it.each([
    ['containers: [', 'not YAML'],
    ['- a', 'expected object'],
    ['containers:\n  - match: { id: a4e3 }', 'containers.0.match: expected one of id'],
    ['containers:\n  - match: { pod: x }', 'containers.0.match: expected one of id'],
    ['containers:\n  - match: { cgroup: relative }', 'containers.0.match: expected one of id'],
    ['containers:\n  - match: { name: a }\n    colour: red', 'colour'],
  ])('%j is refused: %s', (text, reason) => {
    expect(() => parseLabels(text)).toThrow(reason);
  });
});

it.each([
  ['/a/docker-x.scope', 'x'],
  ['/a/web.scope', 'web'],
  ['/a/web', 'web'],
])('the name of %s is %s', (path, name) => {
  expect(nameOf(path)).toBe(name);
});
