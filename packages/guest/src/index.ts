// Kernels in QEMU as a library: for tests and benchmarks of the kernel side.
export { GuestError, GUEST_ERROR_CODES, type GuestErrorCode } from './errors.ts';
export { KERNELS, type KernelName } from './kernels.ts';
export type { GuestLine } from './lines.ts';
export { DEFAULT_LSM, runGuest, runGuestOrThrow, type GuestRequest, type GuestRun } from './run-guest.ts';
export type { ScenarioRequest } from './work-image.ts';
