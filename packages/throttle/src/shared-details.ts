/**
 * What is kept of an alert that crossed, for as long as its interval lasts, with one copy of each text: a hundred
 * thousand throttled containers have a few clusters, nodes, namespaces, images and policies between them.
 */
import type { CrossingDetails } from './interval-event.ts';

/** Texts that are remembered at a time; then all are forgotten, and remembered anew as they come. */
const MAX_TEXTS = 10_000;
/** Longer ones are hardly ever the same. */
const MAX_CHARACTERS = 512;

const texts = new Map<string, string>();

/** An equal text, whichever was first. */
function shared(text: string): string {
  if (text.length > MAX_CHARACTERS) return text;
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= MAX_TEXTS) texts.clear();
  texts.set(text, text);
  return text;
}

/** Equal details, whose texts are shared with others where they are the same; the container's id with its key. */
export function sharedDetails({ identity, trigger }: CrossingDetails, key: string): CrossingDetails {
  const { Owner } = identity;
  return {
    identity: {
      ClusterName: shared(identity.ClusterName),
      HostName: shared(identity.HostName),
      NodeID: shared(identity.NodeID),
      NamespaceName: shared(identity.NamespaceName),
      PodName: identity.PodName,
      Labels: shared(identity.Labels),
      ContainerName: shared(identity.ContainerName),
      ContainerID: identity.ContainerID === key ? key : identity.ContainerID,
      ContainerImage: shared(identity.ContainerImage),
      Owner: Owner && {
        Ref: shared(Owner.Ref),
        Name: shared(Owner.Name),
        Namespace: shared(Owner.Namespace),
      },
    },
    trigger: {
      Operation: shared(trigger.Operation),
      PolicyName: shared(trigger.PolicyName),
      Source: shared(trigger.Source),
      Resource: shared(trigger.Resource),
    },
  };
}
