// A scenario that fails, so that the harness can be tested.
import type { Guest } from '@alert-throttle/guest/inside';

export default function fails(guest: Guest): void {
  guest.report('before', {});
  throw new Error('this scenario is made to fail');
}
