// What can go wrong with the kernel source, each with what the operator can do about it. Callers match on `code`.

export const KERNEL_CODES = [
  'NO_ADDON',
  'NO_BTF',
  'NO_BPF_LSM',
  'NO_APPARMOR',
  'NO_ENFORCER',
  'NO_CGROUP2',
  'NO_BPFFS',
  'BAD_PIN_DIR',
  'NO_HOST_NAMESPACE',
  'LOCKDOWN',
  'NO_PERMISSION',
  'BAD_OBJECT',
  'BAD_SIZES',
  'BUSY',
  'NOT_PINNED',
  'NO_ROOM',
  'KERNEL_REFUSED',
] as const;
export type KernelCode = (typeof KERNEL_CODES)[number];

/** What a call of the filesystem failed with, as something that an operator can act on. */
export function named<T>(what: string, hint: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (typeof code !== 'string' || error instanceof KernelError) throw error;
    throw new KernelError('NO_PERMISSION', `${what}: ${code}`, hint, { cause: error });
  }
}

/** `hint` says in one sentence what would help; the message, what was found. `log`: what libbpf and the verifier said. */
export class KernelError extends Error {
  readonly code: KernelCode;
  readonly hint: string;
  readonly log: string;
  readonly retryable = false;

  constructor(
    code: KernelCode,
    message: string,
    hint: string,
    options: ErrorOptions & { readonly log?: string } = {},
  ) {
    super(message, options);
    this.name = 'KernelError';
    this.code = code;
    this.hint = hint;
    this.log = options.log ?? '';
  }
}
