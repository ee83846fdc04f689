// Claims on partitions in all kinds of states.

import { formatOffsetMetadata, type OffsetMetadata, parseOffsetMetadata } from '@alert-throttle/throttle';

import { Checkpointer } from '../checkpointer.ts';
import { Claimant, type Claimed } from '../claimant.ts';
import type { CommittedOffset } from '../ports.ts';
import { OwnerFixture } from './owner-fixture.ts';

export interface Attempt {
  readonly on: OwnerFixture;
  readonly checkpointer: Checkpointer;
  readonly claim: (lastCommitted?: CommittedOffset, fromLog?: boolean) => Promise<Claimed>;
}

/** What a process of that fixture would claim. */
export function attempt(on = new OwnerFixture()): Attempt {
  const { deps } = on;
  const checkpointer = new Checkpointer({
    store: deps.store,
    partition: 0,
    logger: deps.logger,
    onDegraded: () => undefined,
    onFlushed: () => undefined,
  });
  const claimant = new Claimant(deps, checkpointer, deps.logger);
  return {
    on,
    checkpointer,
    claim: (lastCommitted, fromLog = false) => claimant.claim(lastCommitted, fromLog),
  };
}

/** A partition whose owner stopped at offset 5, with an open interval of `c1`, and left its checkpoint. */
export async function left(): Promise<OwnerFixture> {
  const on = await new OwnerFixture().started();
  on.append(5);
  await on.run();
  await on.owner.stop();
  return on.successor();
}

/** The same, but then four more records were decided and no checkpoint written. */
export async function leftBehind(): Promise<OwnerFixture> {
  const on = await (await left()).started();
  on.checkpoints.away = true;
  on.append(4);
  await on.pass(1200);
  await on.owner.drop();
  on.checkpoints.away = false;
  return on.successor();
}

/** What is committed, with other metadata. */
export function recommit(on: OwnerFixture, change: Partial<OffsetMetadata>): void {
  const { offset, metadata } = on.log.committed ?? { offset: 0, metadata: '' };
  on.log.setByHand(offset, formatOffsetMetadata({ ...parseOffsetMetadata(metadata), ...change }));
}

/** How it was claimed, and from where to where it must be folded. */
export function brief(claimed: Claimed): string {
  if (claimed.kind === 'complete') return `${claimed.how} ${claimed.claim.position}`;
  const { how, rebuild } = claimed;
  return `${how} ${rebuild.from}..${rebuild.target}`;
}

/** Writes a field of the stored checkpoint. */
export function note(on: OwnerFixture, field: string, value: string): void {
  const { fields = new Map<string, string>(), throttled = new Map<string, number>() } =
    on.checkpoints.state(0) ?? {};
  on.checkpoints.put(0, { fields: new Map(fields).set(field, value), throttled });
}
