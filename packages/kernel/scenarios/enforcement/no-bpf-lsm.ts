// Where `bpf` is no security module of the running kernel, programs would load and attach, and nobody would ask them.
import { KernelError, openKernel } from '@alert-throttle/kernel';
import type { Guest } from '@alert-throttle/guest/inside';

export default function noBpfLsm(guest: Guest): void {
  try {
    openKernel().close();
    guest.report('opened', {});
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const { code, message, hint } = error;
    guest.report('refused', { code, message, hint });
  }
}
