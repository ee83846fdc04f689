// The producer with the capabilities that the documentation and the compose file name, and no others; and without each.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runGuestOrThrow, type GuestLine } from '@alert-throttle/guest';
import { beforeAll, describe, expect, it } from 'vitest';

const NEEDED = ['bpf', 'perfmon', 'sys_ptrace', 'dac_read_search'];
/** Bits of linux/capability.h. */
const BITS = (1n << 39n) | (1n << 38n) | (1n << 19n) | (1n << 2n);
const COMPOSE = join(import.meta.dirname, '../../../../infra/compose.kernel.yaml');

describe('the privileges of the kernel source', () => {
  let lines: readonly GuestLine[] = [];

  beforeAll(async () => {
    const scenarios = [{ module: 'services/producer/scenarios/privileges.ts' }];
    ({ lines } = await runGuestOrThrow({ kernel: '6.1', scenarios, timeoutMs: 1_500_000 }));
  }, 1_600_000);

  it('without one of them it ends, and names it', () => {
    const without = lines.filter(({ name }) => name === 'without').map(({ data }) => data);
    expect(without).toEqual(NEEDED.map((one) => ({ one, status: 78, named: true })));
  });

  it('with these alone everything works, also behind folders that are closed to it', () => {
    expect(lines.find(({ name }) => name === 'with all')?.data).toEqual({
      armed: true,
      armedKinds: ['process', 'file', 'network', 'capability'],
      disarmed: {},
      capabilities: BITS.toString(16).padStart(16, '0'),
      tried: {
        '/etc/secret': 'EACCES',
        '/home/user/current/key': 'EACCES',
        '/home/user/v1/key': 'EACCES',
        '/etc/free': '',
      },
    });
  });

  it('the compose file gives these, and no others', () => {
    const granted = /cap_add: \[([^\]]+)\]/.exec(readFileSync(COMPOSE, 'utf8'))?.[1];
    expect(granted?.split(', ').toSorted()).toEqual(NEEDED.map((name) => name.toUpperCase()).toSorted());
  });
});
