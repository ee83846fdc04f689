import { describe, expect, it } from 'vitest';
import { dependencies } from './kernel-modules.ts';
import { debianMirrors } from './kernels.ts';

describe('the mirror', () => {
  const targets = [
    'https://packages.example/apt cloud-sdk',
    'http://mirror.example/debian-security/ bookworm-security',
    'http://mirror.example/debian/ bookworm',
    'http://mirror.example/debian/ bookworm-updates',
  ].join('\n');

  it('is the one that the machine uses', () => {
    expect(debianMirrors(targets)).toEqual({
      main: 'http://mirror.example/debian/',
      security: 'http://mirror.example/debian-security/',
    });
  });

  it('may be given', () => {
    expect(debianMirrors('http://ubuntu.example/ubuntu/ noble', 'http://given.example/debian')).toEqual({
      main: 'http://given.example/debian',
      security: undefined,
    });
  });

  it('is asked for by name where the machine knows none', () => {
    expect(() => debianMirrors('http://ubuntu.example/ubuntu/ noble')).toThrow(
      expect.objectContaining({
        code: 'NO_MIRROR',
        message: expect.stringContaining('GUEST_DEBIAN_MIRROR') as string,
      }),
    );
  });
});

it('reads from a module what it depends on', () => {
  const section = (text: string): Buffer =>
    Buffer.from(`\x7fELF...\0license=GPL\0depends=${text}\0retpoline=Y\0`);
  expect(dependencies(section('failover,net-failover'))).toEqual(['failover', 'net_failover']);
  expect(dependencies(section(''))).toEqual([]);
  expect(dependencies(Buffer.from('no module'))).toEqual([]);
});
