// The programs of the AppArmor path in a kernel that asks no BPF programs: which of them it has hooks for.
import { openKernel } from '@alert-throttle/kernel';
import type { Guest } from '@alert-throttle/guest/inside';

export default function loads(guest: Guest): void {
  const kernel = openKernel({ enforcer: 'apparmor' });
  kernel.activate();
  guest.report('programs', { programs: kernel.programs() });
  kernel.detach();
}
