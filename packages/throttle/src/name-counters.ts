/** How many alerts were dropped of each name. Bounded: the first 16 distinct names have a counter each, later ones share "other". */
import type { NameCount } from './interval-event.ts';

export const COUNTED_NAMES = 16;
/** Longer names are cut: they stand in a record that must stay small. Kubernetes' own names end at 253 characters. */
export const MAX_NAME_CHARACTERS = 253;

export class NameCounters {
  names: readonly string[] = [];
  counts: number[] = [];
  /** Alerts of all names that came after the first 16. */
  other = 0;

  add(fullName: string): void {
    const { names } = this;
    const name = fullName.length > MAX_NAME_CHARACTERS ? fullName.slice(0, MAX_NAME_CHARACTERS) : fullName;
    let i = 0;
    while (i < names.length && names[i] !== name) i++;
    if (i < names.length) this.counts[i] = (this.counts[i] ?? 0) + 1;
    else if (i < COUNTED_NAMES) {
      // Not pushed or spread: V8 would make room for 16 more, and most have one name or two.
      this.names = names.concat(name);
      this.counts = this.counts.concat(1);
    } else this.other += 1;
  }

  /** Largest first, equal ones by name; "other" comes after the names of its size. */
  toList(): NameCount[] {
    const list = this.names.map((Name, i) => ({ Name, Alerts: this.counts[i] ?? 0 }));
    list.sort((a, b) => b.Alerts - a.Alerts || (a.Name < b.Name ? -1 : 1));
    if (this.other > 0) {
      const at = list.findIndex((entry) => entry.Alerts < this.other);
      list.splice(at < 0 ? list.length : at, 0, { Name: 'other', Alerts: this.other });
    }
    return list;
  }
}
