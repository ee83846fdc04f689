// A container as the source knows it: its cgroup, who it is for people, and what policies are chosen by.
import type { ContainerIdentity as PolicySubject } from '@alert-throttle/policy';
import type { Identity } from './alert-of-event.ts';
import { containerOfCgroup, type ContainerPath } from './cgroup-path.ts';
import { NAMELESS_NAMESPACE, type Labels } from './labels.ts';

export interface NodeIdentity {
  readonly clusterName: string;
  readonly hostName: string;
  readonly nodeId: string;
}

export interface Known {
  readonly place: ContainerPath;
  readonly identity: Identity;
  readonly subject: PolicySubject & {
    readonly podAnnotations: Readonly<Record<string, string>>;
    readonly namespaceAnnotations: Readonly<Record<string, string>>;
  };
}

/** The container that the cgroup is; undefined where it is none, or lies below one. */
export function containerAt(cgroupPath: string, labels: Labels, node: NodeIdentity): Known | undefined {
  const place = containerOfCgroup(cgroupPath, (path) => labels.isListed(path));
  return place?.cgroupPath === cgroupPath ? describeContainer(place, labels, node) : undefined;
}

export function describeContainer(place: ContainerPath, labels: Labels, node: NodeIdentity): Known {
  const entry = labels.find(place);
  const namespace = entry?.namespace ?? NAMELESS_NAMESPACE;
  const owner = entry?.owner;
  const podLabels = entry?.labels ?? {};
  const texts = Object.entries(podLabels).map(([name, value]) => `${name}=${value}`);
  return {
    place,
    identity: {
      ...nodeIdentity(node),
      ContainerID: place.id,
      NamespaceName: namespace,
      PodName: entry?.pod ?? '',
      Labels: texts.join(','),
      ContainerName: entry?.name ?? '',
      ContainerImage: entry?.image ?? '',
      Owner: owner ? { Ref: owner.ref, Name: owner.name, Namespace: owner.namespace ?? namespace } : null,
    },
    subject: {
      namespace,
      labels: podLabels,
      containerName: entry?.name ?? '',
      podAnnotations: entry?.annotations ?? {},
      namespaceAnnotations: entry?.namespaceAnnotations ?? {},
    },
  };
}

/** Of events that belong to no container. */
export function nodeIdentity({ clusterName, hostName, nodeId }: NodeIdentity): Identity {
  return {
    ClusterName: clusterName,
    HostName: hostName,
    NodeID: nodeId,
    NamespaceName: '',
    PodName: '',
    Labels: '',
    ContainerName: '',
    ContainerID: '',
    ContainerImage: '',
    Owner: null,
  };
}

/** Of a container that did not become known in time: a name of its own, so that its alerts are nobody else's. */
export function strangerIdentity(node: NodeIdentity, cgroupId: bigint): Identity {
  return { ...nodeIdentity(node), ContainerID: `cgroup:${cgroupId}` };
}
