// The harness itself: both kernels are what tests rely on, and nothing but a job well done counts as success.
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { KERNELS, runGuest, runGuestOrThrow, type GuestRequest } from './index.ts';

const SCENARIOS = 'packages/guest/scenarios';

describe.each(KERNELS)('kernel %s', (kernel) => {
  it('has what the kernel source needs, and containers of each kind work in it', async () => {
    const scenarios = ['node-facts', 'workload'].map((name) => ({ module: `${SCENARIOS}/${name}.ts` }));
    const { lines } = await runGuestOrThrow({ kernel, scenarios });
    const facts = lines.find(({ name }) => name === 'facts')?.data;
    expect(facts).toMatchObject({
      release: expect.stringMatching(kernel === '6.1' ? /^6\.1\./ : /^(?:6\.(?!1\.)|[789])/) as string,
      lsm: expect.arrayContaining(['apparmor', 'bpf']) as string[],
      fileSystems: expect.arrayContaining(['/sys/fs/cgroup cgroup2', '/sys/fs/bpf bpf']) as string[],
    });
    expect(facts?.['btfBytes']).toBeGreaterThan(1_000_000);

    const containers = lines.filter(({ name }) => name === 'container').map(({ data }) => data);
    expect(containers.map(({ kind }) => kind)).toEqual(['tmpfs', 'overlay', 'host', 'runc']);
    for (const one of containers) {
      expect(one).toMatchObject({
        absent: { ret: -1, error: 'ENOENT' },
        runs: { ret: 0, status: 0, data: 'a b\n' },
        hammered: { good: 0, failed: { ENOENT: 1000 } },
        ids: { uid: 1000 },
        // runc takes the capability away that this needs.
        child: { unshared: one['kind'] === 'runc' ? { error: 'EPERM' } : { ret: 0 } },
      });
      if (one['kind'] !== 'host')
        expect(one).toMatchObject({ read: { data: 'of the pod' }, child: { again: { data: 'of the pod' } } });
    }
    // Numbers of namespaces are used again at once, those of cgroups are not.
    expect(new Set(containers.map(({ cgroup }) => cgroup)).size).toBe(containers.length);
  });
});

it('reaches the ports of the host that it was given, and nothing else', async () => {
  // Answers only when all three have asked: they have to be connected at the same time.
  const waiting: (() => void)[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (text) => {
      waiting.push(() => socket.write(`you said ${text.toString()}`));
      if (waiting.length === 3) waiting.forEach((answer) => answer());
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  try {
    const { lines } = await runGuestOrThrow({
      kernel: '6.1',
      hostPorts: [port],
      scenarios: [{ module: `${SCENARIOS}/host-port.ts`, args: { port } }],
    });
    expect(lines.map(({ data }) => data)).toEqual([
      { answers: ['you said a', 'you said b', 'you said c'] },
      { gateway: '', other: '' },
      {},
    ]);
  } finally {
    server.close();
  }
});

describe('a guest fails', () => {
  const request = (name: string, more: Partial<GuestRequest> = {}): GuestRequest => ({
    kernel: '6.1',
    scenarios: [{ module: `${SCENARIOS}/${name}.ts` }],
    ...more,
  });

  it('where a scenario throws, or leaves before its end; the others run all the same', async () => {
    const scenarios = ['fails', 'leaves', 'node-facts'].map((name) => ({
      module: `${SCENARIOS}/${name}.ts`,
    }));
    const { ok, failure, lines } = await runGuest({ kernel: '6.1', scenarios });
    expect(ok).toBe(false);
    expect(failure).toContain('this scenario is made to fail');
    expect(failure).toContain('1 of 3 scenarios came to their end');
    expect(lines.map(({ scenario, name }) => `${scenario} ${name}`)).toEqual([
      'fails before',
      'fails failed',
      'node-facts facts',
      'node-facts ended',
    ]);
  });

  it('where the kernel panics', async () => {
    const { ok, failure } = await runGuest(request('panics'));
    expect(ok).toBe(false);
    expect(failure).toContain('Kernel panic - not syncing');
    expect(failure).toContain('--- the end of the console:');
  });

  it('where it does not come to its end in time', async () => {
    const { ok, failure } = await runGuest(request('hangs', { timeoutMs: 20_000 }));
    expect(ok).toBe(false);
    expect(failure).toContain('not at its end after 20000 ms');
  });

  it('where it turns itself off without a word', async () => {
    const { ok, failure } = await runGuest({ kernel: '6.1', shell: 'poweroff -f' });
    expect(ok).toBe(false);
    expect(failure).toContain('the guest did not say how');
  });

  it('where a shell command does', async () => {
    const { ok, failure } = await runGuest({ kernel: '6.1', shell: 'exit 3' });
    expect(ok).toBe(false);
    expect(failure).toContain("the job's exit code is 1");
  });
});
