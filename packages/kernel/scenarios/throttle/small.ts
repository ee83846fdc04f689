// A node with little room: a ring of a few dozen alerts, a throttle map for two containers.
import type { Guest } from '@alert-throttle/guest/inside';
import { EnforcingNode } from '../enforcement/node.ts';
import { fullRing } from './full-ring.ts';
import { overflow } from './overflow.ts';

export default async function small(guest: Guest): Promise<void> {
  const node = new EnforcingNode({ sizes: { windows: 2, enforcementRingBytes: 1 << 15 } });
  node.kernel.activate();
  await fullRing(guest, node);
  await overflow(guest, node);
  node.detach();
}
