// The few modules that scenarios load, with what they depend on, in the order in which they go in.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '@alert-throttle/stack';
import { GuestError } from './errors.ts';

/** Names of modules that belong to a purpose; a kernel may have some of them built in. */
const PURPOSES = {
  overlay: ['overlay'],
  loop: ['loop'],
  net: ['virtio_pci', 'virtio_net'],
} as const;

export type ModulePurpose = keyof typeof PURPOSES;
export type ModuleSets = Readonly<Record<ModulePurpose, readonly string[]>>;

/** Copies them, uncompressed: BusyBox's insmod gives the kernel the file as it is. */
export async function unpackModules(tree: string, into: string, xz: string): Promise<ModuleSets> {
  mkdirSync(into);
  const files = new Map<string, string>();
  for (const path of readdirSync(tree, { recursive: true, encoding: 'utf8' })) {
    const name = /^(.*)\.ko(?:\.xz)?$/.exec(basename(path))?.[1];
    if (name !== undefined) files.set(name.replaceAll('-', '_'), join(tree, path));
  }
  const done = new Map<string, readonly string[]>();
  const closure = async (name: string): Promise<string[]> => {
    const file = files.get(name);
    if (file === undefined) return [];
    let needed = done.get(name);
    if (needed === undefined) {
      const bytes = await uncompressed(file, join(into, `${name}.ko`), xz);
      needed = dependencies(bytes);
      done.set(name, needed);
    }
    const before: string[] = [];
    for (const one of needed) before.push(...(await closure(one)));
    return [...before, name];
  };
  const sets: Partial<Record<ModulePurpose, string[]>> = {};
  for (const [purpose, names] of Object.entries(PURPOSES) as [ModulePurpose, readonly string[]][]) {
    const all: string[] = [];
    for (const name of names) all.push(...(await closure(name)));
    sets[purpose] = [...new Set(all)];
  }
  const { overlay = [], loop = [], net = [] } = sets;
  return { overlay, loop, net };
}

async function uncompressed(file: string, into: string, xz: string): Promise<Buffer> {
  if (file.endsWith('.xz')) {
    writeFileSync(`${into}.xz`, readFileSync(file));
    const { code, output } = await run(xz, ['--decompress', `${into}.xz`]);
    if (code !== 0) throw new GuestError('TOOL_FAILED', `xz could not unpack ${file}: ${output}`);
    return readFileSync(into);
  }
  const bytes = readFileSync(file);
  writeFileSync(into, bytes);
  return bytes;
}

/** From the module's own information; depmod's index exists only where a kernel was installed. */
export function dependencies(module: Buffer): string[] {
  const text = /\0depends=([^\0]*)\0/.exec(module.toString('latin1'))?.[1] ?? '';
  return text.split(',').flatMap((name) => (name === '' ? [] : [name.replaceAll('-', '_')]));
}
