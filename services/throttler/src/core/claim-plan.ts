// What to do with a partition that was just assigned: the claim table, decided from facts alone.

import type { CommittedOffset, LogBounds } from '../ports.ts';

export type StartFrom = 'earliest' | 'latest';

export interface ClaimFacts {
  /** Undefined where the group has no committed offset for this partition. */
  readonly committed: CommittedOffset | undefined;
  readonly bounds: LogBounds;
  /** The operator's choice; undefined where none was made. */
  readonly startFrom: StartFrom | undefined;
  /** Whether the group has a committed offset on any partition of the raw topic. */
  readonly groupHasCommits: boolean;
  readonly throttledTopicIsEmpty: boolean;
}

export type ClaimPlan =
  /** Nothing was ever committed: commit the start with the limits, then fold from there. */
  | { readonly kind: 'first'; readonly offset: number }
  /** Go on at the committed offset, once the state there is rebuilt. */
  | { readonly kind: 'resume'; readonly committed: CommittedOffset }
  /** Records [from, to) were deleted by retention before they were decided: announce it, go on at `to`. */
  | { readonly kind: 'gap'; readonly committed: CommittedOffset; readonly to: number }
  | { readonly kind: 'refuse'; readonly code: RefusalCode; readonly message: string };

export type RefusalCode = 'START_FROM_NEEDED' | 'COMMITTED_BEYOND_LOG_END';

export function planClaim(facts: ClaimFacts): ClaimPlan {
  const { committed, bounds } = facts;
  if (committed === undefined) return firstClaim(facts);
  if (committed.offset > bounds.end) {
    return {
      kind: 'refuse',
      code: 'COMMITTED_BEYOND_LOG_END',
      message:
        `the committed offset ${committed.offset} lies beyond the end of the log (${bounds.end}): ` +
        'this is another topic under the same name. Use another CONSUMER_GROUP, or delete this group.',
    };
  }
  if (committed.offset < bounds.start) return { kind: 'gap', committed, to: bounds.start };
  return { kind: 'resume', committed };
}

function firstClaim({ bounds, startFrom, groupHasCommits, throttledTopicIsEmpty }: ClaimFacts): ClaimPlan {
  if (startFrom === undefined && !groupHasCommits && !throttledTopicIsEmpty) {
    return {
      kind: 'refuse',
      code: 'START_FROM_NEEDED',
      message:
        'the group has no committed offset, but the throttled topic is not empty: alerts could be decided twice. ' +
        'Set START_FROM=earliest to decide the whole log again, or START_FROM=latest to begin with new alerts.',
    };
  }
  return { kind: 'first', offset: startFrom === 'latest' ? bounds.end : bounds.start };
}
