import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Pins, unpinAll, unpinVersions } from './pins.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alert-throttle-pins-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('pins', () => {
  test('all folders are for their owner only', () => {
    const pins = new Pins(join(folder, 'pins'), 3);
    pins.create();
    for (const path of ['pins', 'pins/3', 'pins/3/maps', 'pins/3/sets'])
      expect(statSync(join(folder, path)).mode & 0o777).toBe(0o700);
  });

  test('a set is found again by its generation and object; other folders are none', () => {
    const pins = new Pins(folder, 1);
    pins.create();
    const set = pins.createSet(12, '0123456789abcdef');
    mkdirSync(join(folder, '1', 'sets', 'other'));
    expect(pins.sets()).toEqual([set]);
  });

  test('a bridge is told from other sets, and has maps of its own', () => {
    const pins = new Pins(folder, 1);
    pins.create();
    const set = pins.createSet(3, '0123456789abcdef');
    const bridge = pins.createSet(4, '0123456789abcdef', true);
    expect([set.bridge, bridge.bridge]).toEqual([false, true]);
    expect(pins.sets()).toEqual([set, bridge]);
    expect([set, bridge].map((one) => readdirSync(one.folder).includes('maps'))).toEqual([false, true]);
  });

  test('names have no dots, which bpffs refuses', () => {
    const pins = new Pins(folder, 1);
    pins.create();
    pins.createSet(1, '0123456789abcdef');
    expect(readdirSync(folder, { recursive: true }).filter((name) => String(name).includes('.'))).toEqual([]);
  });

  test('other layout versions are seen', () => {
    for (const version of [1, 2, 11]) new Pins(folder, version).create();
    expect(new Pins(folder, 2).others()).toEqual([join(folder, '1'), join(folder, '11')]);
  });

  test('nothing is left after unpinning', () => {
    const pins = new Pins(join(folder, 'pins'), 1);
    pins.create();
    const set = pins.createSet(1, '0123456789abcdef');
    for (const path of ['programs/a', 'links/a']) writeFileSync(join(set.folder, path), '');
    writeFileSync(join(pins.maps, 'rules'), '');
    unpinAll(set.folder);
    expect(pins.sets()).toEqual([]);
    expect(readdirSync(pins.maps)).toEqual(['rules']);
    unpinAll(pins.pinDir);
    expect(readdirSync(folder)).toEqual([]);
    unpinAll(pins.pinDir);
  });

  test('what others have pinned beside ours stays', () => {
    new Pins(folder, 1).create();
    new Pins(folder, 2).create();
    mkdirSync(join(folder, 'cilium'));
    unpinVersions(folder);
    expect(readdirSync(folder)).toEqual(['cilium']);
    rmSync(join(folder, 'cilium'), { recursive: true });
    unpinVersions(folder);
    unpinVersions(folder);
  });

  test.each(['', '1', '1/maps', '1/sets'])('a folder that others may write to is refused: %j', (name) => {
    const path = join(folder, 'pins', name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o777);
    expect(() => new Pins(join(folder, 'pins'), 1).create()).toThrow(
      expect.objectContaining({ code: 'NO_PERMISSION', message: expect.stringContaining(path) as string }),
    );
  });

  test('a link to a folder is none', () => {
    symlinkSync(folder, join(folder, 'link'));
    expect(() => new Pins(join(folder, 'link'), 1).create()).toThrow('is not a folder');
  });
});
