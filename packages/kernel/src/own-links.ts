// What keeps the programs attached are links. The id of a link is not its address, so the programs are told here which ids
// are ours: a process of a container that asks for one of them is refused.
import { join } from 'node:path';
import type { Binding, Handle } from '@alert-throttle/native';
import { u32Key, type Maps } from './maps.ts';
import { namesIn, type PinnedSet } from './pins.ts';

const MAP = 'own_links';
const OURS = u32Key(1);

/** Those of this set, and of the one in force beside it; those of sets that are gone are taken out. */
export function enterOwnLinks(
  binding: Binding,
  maps: Maps,
  links: readonly (Handle | undefined)[],
  other: PinnedSet | undefined,
): void {
  if (!maps.has(MAP)) return;
  const ids = new Set([
    ...links.flatMap((link) => (link ? [binding.linkInfo(link).id] : [])),
    ...(other ? pinnedIds(binding, join(other.folder, 'links')) : []),
  ]);
  const gone = maps.entries(MAP).filter(({ key }) => !ids.has(key.readUInt32LE()));
  maps.removeAll(
    MAP,
    gone.map(({ key }) => key),
  );
  const keys = [...ids].map(u32Key);
  maps.updateAll(
    MAP,
    keys,
    keys.map(() => OURS),
  );
}

function pinnedIds(binding: Binding, folder: string): number[] {
  return namesIn(folder).map((name) => {
    const link = binding.openPinned(join(folder, name));
    try {
      return binding.linkInfo(link).id;
    } finally {
      link.close();
    }
  });
}
