// Names of protocols and capabilities with the numbers that the kernel programs know them by (bpf/include/layout.h).

/** In the order of `enum at_protocol`. */
export const PROTOCOLS = [
  'all',
  'tcp',
  'udp',
  'raw',
  'icmp',
  'icmpv6',
  'sctp',
  'stream',
  'dgram',
  'rdm',
  'seqpacket',
  'dccp',
  'packet',
] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** In the order of linux/capability.h: the index is the number. KubeArmor's own list ends with mac_admin. */
export const CAPABILITIES = [
  'chown',
  'dac_override',
  'dac_read_search',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'linux_immutable',
  'net_bind_service',
  'net_broadcast',
  'net_admin',
  'net_raw',
  'ipc_lock',
  'ipc_owner',
  'sys_module',
  'sys_rawio',
  'sys_chroot',
  'sys_ptrace',
  'sys_pacct',
  'sys_admin',
  'sys_boot',
  'sys_nice',
  'sys_resource',
  'sys_time',
  'sys_tty_config',
  'mknod',
  'lease',
  'audit_write',
  'audit_control',
  'setfcap',
  'mac_override',
  'mac_admin',
  'syslog',
  'wake_alarm',
  'block_suspend',
  'audit_read',
  'perfmon',
  'bpf',
  'checkpoint_restore',
] as const;
export type Capability = (typeof CAPABILITIES)[number];

export function isProtocol(name: string): name is Protocol {
  return (PROTOCOLS as readonly string[]).includes(name);
}

export function isCapability(name: string): name is Capability {
  return (CAPABILITIES as readonly string[]).includes(name);
}

/** The value of `enum at_protocol`. */
export function protocolNumber(name: Protocol): number {
  return PROTOCOLS.indexOf(name);
}

/** The number in linux/capability.h. */
export function capabilityNumber(name: Capability): number {
  return CAPABILITIES.indexOf(name);
}
