import { expect, it } from 'vitest';
import { onPath, provide, type Need } from './provide.ts';

const there: Need<string> = { what: 'a shell', packages: ['dash'], find: () => onPath('sh') };

it('gives what was found, and says nothing', async () => {
  const said: string[] = [];
  const found = await provide({ there }, { log: (line) => said.push(line) });
  expect(found.there).toMatch(/\/sh$/);
  expect(said).toEqual([]);
});

it('finds a program of the system whatever the PATH is', () => {
  expect(onPath('ldconfig')).toMatch(/^\/(usr\/)?sbin\/ldconfig$/);
  expect(onPath('no-such-program')).toBeUndefined();
});
