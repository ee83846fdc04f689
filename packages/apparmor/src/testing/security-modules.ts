// The security modules of guests in which AppArmor enforces.

/** As Debian has it: `bpf` is not among them, so no BPF program is asked whether something may happen. */
export const APPARMOR_ONLY = 'landlock,lockdown,yama,integrity,apparmor';
