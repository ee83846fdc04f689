// The root that every container of a policy vector begins with: exactly what the vectors say, on a file system of its own.
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { stage } from '@alert-throttle/policy/vectors';
import { command } from '@alert-throttle/guest/inside';

const WORKLOAD = '/w/.guest/bin/workload';

export interface Stage {
  readonly folder: string;
  modeOf(path: string): number;
  ownerOf(path: string): number;
  remove(): Promise<void>;
}

export async function makeStage(name: string): Promise<Stage> {
  const folder = join('/run/stages', name);
  mkdirSync(folder, { recursive: true });
  await command('mount', '-t', 'tmpfs', '-o', 'mode=755', 'stage', folder);
  for (const [path, uid, mode] of stage.directories) {
    mkdirSync(join(folder, path), { recursive: true });
    own(join(folder, path), uid, mode);
  }
  for (const [path, uid, mode] of stage.files) {
    writeFileSync(join(folder, path), 'content');
    own(join(folder, path), uid, mode);
  }
  const programs = new Map<number, string>();
  for (const [path, uid, mode] of stage.programs) {
    const first = programs.get(uid);
    if (first === undefined) copyFileSync(WORKLOAD, join(folder, path));
    else linkSync(first, join(folder, path));
    programs.set(uid, join(folder, path));
    own(join(folder, path), uid, mode);
  }
  for (const [path, interpreter] of stage.scripts) {
    writeFileSync(join(folder, path), `#!${interpreter}\n`);
    own(join(folder, path), 0, '0755');
  }
  for (const [path, target] of stage.links) symlinkSync(target, join(folder, path));
  // Links lead somewhere else for whoever looks from outside.
  const links = new Map(stage.links);
  const look = (path: string) => statSync(join(folder, links.get(path) ?? path));
  return {
    folder,
    modeOf: (path) => look(path).mode & 0o7777,
    ownerOf: (path) => look(path).uid,
    remove: async () => {
      await command('umount', '-l', folder);
    },
  };
}

function own(file: string, uid: number, mode: string): void {
  chownSync(file, uid, 0);
  chmodSync(file, Number.parseInt(mode, 8));
}
