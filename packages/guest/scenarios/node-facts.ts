// What the kernel source needs of a node, as this kernel and this command line give it.
import { readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import type { Guest } from '@alert-throttle/guest/inside';

export default function nodeFacts(guest: Guest): void {
  const mounts = readFileSync('/proc/mounts', 'utf8');
  guest.report('facts', {
    release: release(),
    lsm: readFileSync('/sys/kernel/security/lsm', 'utf8').trim().split(','),
    btfBytes: statSync('/sys/kernel/btf/vmlinux').size,
    fileSystems: mounts
      .trim()
      .split('\n')
      .map((line) => line.split(' ').slice(1, 3).join(' ')),
    node: process.version,
  });
}
