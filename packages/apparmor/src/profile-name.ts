// The names of profiles, as KubeArmor gives them: whoever starts the container, its annotation or the runtime's
// `apparmorProfile`, has to name the profile before there is a container.

/** Who the container is; `owner` is the workload that the pod belongs to, or the pod where it has none. */
export interface ProfileOwner {
  readonly namespace: string;
  readonly owner: string;
  readonly container: string;
}

/** Nothing that begins another profile, a namespace of profiles, or a pattern of paths. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const MAX_NAME = 200;

/** Without an owner it is a container outside Kubernetes. Undefined where the container has no name of which to make one. */
export function profileName({ namespace, owner, container }: ProfileOwner): string | undefined {
  const parts = owner === '' ? [container] : [namespace, owner, container];
  if (!parts.every((part) => NAME.test(part))) return undefined;
  const name = owner === '' ? `kubearmor_${container}` : `kubearmor-${parts.join('-')}`;
  return name.length > MAX_NAME ? undefined : name;
}
