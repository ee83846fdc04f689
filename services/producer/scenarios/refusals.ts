// Runs in the guest, whose kernel asks neither BPF programs nor AppArmor: how a producer with SOURCE=kernel ends then.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Guest } from '@alert-throttle/guest/inside';
import { CAPABILITIES, environmentOf, makeFolders, producerCommand, records } from './producer.ts';

export default (guest: Guest): void => {
  makeFolders();
  for (const enforcer of ['auto', 'bpflsm', 'apparmor']) {
    const [program, ...args] = producerCommand([...CAPABILITIES, 'mac_admin']);
    const { status, stdout, stderr } = spawnSync(program, args, {
      env: environmentOf({ ENFORCER: enforcer }),
      encoding: 'utf8',
      // It would run on if it were not refused.
      timeout: 300_000,
    });
    guest.report(enforcer, { status, said: stdout + stderr });
  }
  guest.report('left', { pinned: existsSync('/sys/fs/bpf/alert-throttle'), records: records().length });
};
