// Kernel modules, which a guest loads when a scenario wants them.
import { readFileSync } from 'node:fs';
import { command } from './command.ts';

const loaded = new Set<string>();

/** `overlay` or `loop`; a module that is in already is left alone. */
export async function loadModules(purpose: 'overlay' | 'loop'): Promise<void> {
  const sets = JSON.parse(readFileSync('/w/.guest/modules.json', 'utf8')) as Record<string, string[]>;
  const present = readFileSync('/proc/modules', 'utf8');
  for (const name of sets[purpose] ?? []) {
    if (loaded.has(name) || present.includes(`${name} `)) continue;
    await command('insmod', `/w/.guest/modules/${name}.ko`);
    loaded.add(name);
  }
}
