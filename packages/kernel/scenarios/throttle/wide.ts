// A node with room for all: containers that come and go, limits and policies that change, neighbours, an upgrade, a crowd.
import type { Guest } from '@alert-throttle/guest/inside';
import { EnforcingNode } from '../enforcement/node.ts';
import { changingLimits } from './limits.ts';
import { diesSilent, policies } from './lives.ts';
import { loudNeighbour } from './loud-neighbour.ts';
import { many } from './many.ts';
import { upgrade } from './upgrade.ts';

interface Args {
  readonly containers: number;
}

export default async function wide(guest: Guest): Promise<void> {
  const { containers } = guest.args as Args;
  const room = containers + 64;
  const sizes = {
    ...{ containers: room, members: room, windows: room },
    // The audit ring is small, so that a flood overruns it.
    ...{ enforcementRingBytes: 1 << 24, auditRingBytes: 1 << 16 },
  };
  const node = new EnforcingNode({ sizes });
  node.kernel.activate();
  await diesSilent(guest, node);
  await policies(guest, node);
  await changingLimits(guest, node);
  await loudNeighbour(guest, node);
  const next = await upgrade(guest, node, { ...sizes, windows: 20_000, rules: 5000, names: 5000 });
  await many(guest, next, containers);
  next.detach();
}
