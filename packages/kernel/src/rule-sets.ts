// The rule sets in the kernel's maps: put in whole before anything refers to them, shared by content, taken out when
// nobody refers to them and no program can still be reading them.
import { KernelError } from './errors.ts';
import * as layout from './layout.ts';
import { u32Key, type Maps } from './maps.ts';
import { NameTable } from './name-table.ts';
import {
  digestOf,
  entriesOf,
  type Hasher,
  type HintEntry,
  type RuleEntry,
  type RuleSetEntries,
} from './rule-entries.ts';
import { KINDS, type RuleSet } from '@alert-throttle/policy';

/** Stands for one install; equal rule sets have handles of the same number. */
export interface RuleSetHandle {
  readonly number: number;
  readonly digest: string;
}

interface Installed {
  readonly digest: string;
  readonly entries: RuleSetEntries;
  readonly ruleKeys: readonly Buffer[];
  readonly hintKeys: readonly Buffer[];
  readonly holders: Set<RuleSetHandle>;
}

const REFUSAL: RuleSetEntries = {
  value: {
    dir_depths: [],
    features: KINDS.map(
      () => layout.HAS.rules | layout.HAS.noSource | layout.HAS.block | layout.HAS.writeBlock,
    ),
    posture: KINDS.map(() => layout.POSTURES.indexOf('block')),
    audited: 0,
    hints: 0,
    pad: [],
  },
  rules: [],
  hints: [],
};
/** As it is found again in the maps. */
const REFUSAL_DIGEST = digestOf({
  ...REFUSAL,
  value: layout.ruleset.decode(layout.ruleset.encode(REFUSAL.value)),
});

interface Writing extends Pick<Installed, 'entries' | 'ruleKeys' | 'hintKeys'> {
  readonly number: number;
  /** Names that were acquired for it. */
  readonly taken: (readonly string[])[];
}

export class RuleSets {
  readonly #maps: Maps;
  readonly #hasher: Hasher;
  readonly #names: NameTable;
  readonly #capacity: { readonly rulesets: number; readonly rules: number; readonly hints: number };
  readonly #installed = new Map<number, Installed>();

  /** `referenced`: numbers that containers have; what is found under others is left over from an unfinished install. */
  constructor(maps: Maps, hasher: Hasher, referenced: ReadonlySet<number>) {
    this.#maps = maps;
    this.#hasher = hasher;
    this.#names = new NameTable(maps.info('names').maxEntries);
    this.#capacity = {
      rulesets: maps.info('rulesets').maxEntries,
      rules: maps.info('rules').maxEntries,
      hints: maps.info('hints').maxEntries,
    };
    this.#adopt(referenced);
  }

  /** Throws NO_ROOM, with nothing changed, where it does not fit. */
  install(ruleSet: RuleSet): RuleSetHandle {
    const entries = entriesOf(ruleSet, this.#hasher);
    const digest = digestOf(entries);
    for (const [number, installed] of this.#installed)
      if (installed.digest === digest) return hold(installed, { number, digest });
    const number = this.#freeNumber();
    this.#checkRoom('rules', entries.rules.length, (installed) => installed.ruleKeys.length);
    this.#checkRoom('hints', entries.hints.length, (installed) => installed.hintKeys.length);
    const installed = this.#write(number, digest, entries);
    this.#installed.set(number, installed);
    return hold(installed, { number, digest });
  }

  /** Of a container whose own rules could not be installed: nothing matches, and every posture is to block. */
  installRefusal(): RuleSetHandle {
    const known = [...this.#installed].find(([, { digest }]) => digest === REFUSAL_DIGEST);
    const number = known?.[0] ?? this.#freeNumber();
    const installed = known?.[1] ?? this.#write(number, REFUSAL_DIGEST, REFUSAL);
    this.#installed.set(number, installed);
    return hold(installed, { number, digest: REFUSAL_DIGEST });
  }

  release(handle: RuleSetHandle): void {
    this.#installed.get(handle.number)?.holders.delete(handle);
  }

  digest(number: number): string | undefined {
    return this.#installed.get(number)?.digest;
  }

  /** Numbers that neither a handle nor a container has. */
  unused(referenced: ReadonlySet<number>): number[] {
    return [...this.#installed]
      .filter(([number, { holders }]) => holders.size === 0 && !referenced.has(number))
      .map(([number]) => number);
  }

  /** Only what no program can be reading: after every run that had begun with it has ended. */
  erase(number: number): void {
    const installed = this.#installed.get(number);
    if (!installed) return;
    this.#maps.removeAll('rules', installed.ruleKeys);
    this.#maps.removeAll('hints', installed.hintKeys);
    this.#maps.update('rulesets', u32Key(number), Buffer.alloc(layout.ruleset.size));
    this.#releaseNames(installed.entries);
    this.#installed.delete(number);
  }

  #freeNumber(): number {
    const { rulesets } = this.#capacity;
    for (let number = 0; number < rulesets; number++) if (!this.#installed.has(number)) return number;
    throw noRoom('rulesets', rulesets);
  }

  #checkRoom(size: 'rules' | 'hints', wanted: number, of: (installed: Installed) => number): void {
    const used = [...this.#installed.values()].reduce((sum, installed) => sum + of(installed), 0);
    if (used + wanted > this.#capacity[size]) throw noRoom(size, this.#capacity[size]);
  }

  /** Whole or not at all: what a write that fails has done is undone, or the next set of that number would have it, too. */
  #write(number: number, digest: string, entries: RuleSetEntries): Installed {
    const ruleKeys = entries.rules.map((entry) => keyOfRule(number, entry));
    const hintKeys = entries.hints.map((entry) => keyOfHint(number, entry));
    const taken: (readonly string[])[] = [];
    try {
      this.#writeEntries({ number, entries, ruleKeys, hintKeys, taken });
    } catch (error) {
      this.#maps.removeAll('rules', ruleKeys);
      this.#maps.removeAll('hints', hintKeys);
      for (const names of taken) this.#names.release(names);
      throw error;
    }
    return { digest, entries, ruleKeys, hintKeys, holders: new Set() };
  }

  #writeEntries({ number, entries, ruleKeys, hintKeys, taken }: Writing): void {
    const place = (names: readonly string[]): number => {
      const found = this.#names.acquire(names);
      if (!found) throw noRoom('names', this.#names.capacity);
      taken.push(names);
      if (found.fresh) this.#writeNames(found.index, names);
      return found.index;
    };
    const ruleValues = entries.rules.map((entry) =>
      layout.rule.encode({
        rule: entry.rules,
        names: place(entry.names),
        source_names: place(entry.sourceNames),
        name_count: entry.names.length,
        source_name_count: entry.sourceNames.length,
      }),
    );
    const hintValues = entries.hints.map((entry) =>
      layout.hint.encode({
        rule: entry.rule,
        names: place(entry.names),
        name_count: entry.names.length,
        kind: entry.kind,
      }),
    );
    this.#maps.updateAll('rules', ruleKeys, ruleValues);
    this.#maps.updateAll('hints', hintKeys, hintValues);
    this.#maps.update('rulesets', u32Key(number), layout.ruleset.encode(entries.value));
  }

  #writeNames(index: number, names: readonly string[]): void {
    this.#maps.updateAll(
      'names',
      names.map((_, i) => u32Key(index + i)),
      names.map((text) => layout.name.encode({ length: BigInt(Buffer.byteLength(text)), text })),
    );
  }

  #releaseNames({ rules, hints }: RuleSetEntries): void {
    for (const { names, sourceNames } of rules) {
      this.#names.release(names);
      this.#names.release(sourceNames);
    }
    for (const { names } of hints) this.#names.release(names);
  }

  /** Reads back what is in the maps. Sets that no container has are erased: nobody can be reading them. */
  #adopt(referenced: ReadonlySet<number>): void {
    const texts = new NamesInMap(this.#maps, this.#names);
    const rules = Map.groupBy(this.#maps.entries('rules'), ({ key }) => layout.ruleKey.decode(key).ruleset);
    const hints = Map.groupBy(this.#maps.entries('hints'), ({ key }) => layout.hintKey.decode(key).ruleset);
    for (const number of new Set([...rules.keys(), ...hints.keys(), ...referenced])) {
      const ownRules = rules.get(number) ?? [];
      const ownHints = hints.get(number) ?? [];
      const ruleKeys = ownRules.map(({ key }) => key);
      const hintKeys = ownHints.map(({ key }) => key);
      if (!referenced.has(number)) {
        this.#maps.removeAll('rules', ruleKeys);
        this.#maps.removeAll('hints', hintKeys);
        continue;
      }
      const value = this.#maps.lookup('rulesets', u32Key(number)) ?? Buffer.alloc(layout.ruleset.size);
      const entries: RuleSetEntries = {
        value: layout.ruleset.decode(value),
        rules: ownRules.map(({ key, value }) => ruleEntryOf(key, value, texts)),
        hints: ownHints.map(({ key, value }) => hintEntryOf(key, value, texts)),
      };
      const digest = digestOf(entries);
      this.#installed.set(number, { digest, entries, ruleKeys, hintKeys, holders: new Set() });
    }
  }
}

/** The texts in map `names`, noted in the table as they are met. */
class NamesInMap {
  readonly #values: readonly { readonly value: Buffer }[];
  readonly #table: NameTable;

  constructor(maps: Maps, table: NameTable) {
    this.#values = maps.entries('names');
    this.#table = table;
  }

  at(index: number, count: number): string[] {
    const names = this.#values.slice(index, index + count).map(({ value }) => {
      const { length } = layout.name.decode(value);
      const start = layout.name.offsets.text;
      return value.toString('utf8', start, start + Number(length));
    });
    if (!this.#table.adopt(names, index))
      throw new KernelError(
        'BAD_OBJECT',
        'the pinned names of rules contradict each other',
        'Take the kernel part down and start again: alertctl kernel detach.',
      );
    return names;
  }
}

function hold(installed: Installed, handle: RuleSetHandle): RuleSetHandle {
  installed.holders.add(handle);
  return handle;
}

function keyOfRule(number: number, { hash, sourceHash, kind, match, depth }: RuleEntry): Buffer {
  return layout.ruleKey.encode({ hash, source_hash: sourceHash, ruleset: number, kind, match, depth });
}

function keyOfHint(number: number, { hash, depth }: HintEntry): Buffer {
  return layout.hintKey.encode({ hash, ruleset: number, depth });
}

function ruleEntryOf(key: Buffer, value: Buffer, texts: NamesInMap): RuleEntry {
  const { hash, source_hash, kind, match, depth } = layout.ruleKey.decode(key);
  const { rule, names, name_count, source_names, source_name_count } = layout.rule.decode(value);
  return {
    hash,
    sourceHash: source_hash,
    kind,
    match,
    depth,
    rules: rule,
    names: texts.at(names, name_count),
    sourceNames: texts.at(source_names, source_name_count),
  };
}

function hintEntryOf(key: Buffer, value: Buffer, texts: NamesInMap): HintEntry {
  const { hash, depth } = layout.hintKey.decode(key);
  const { rule, names, name_count, kind } = layout.hint.decode(value);
  return { hash, depth, rule, kind, names: texts.at(names, name_count) };
}

function noRoom(size: string, capacity: number): KernelError {
  return new KernelError(
    'NO_ROOM',
    `the policies need more than the ${capacity} ${size} that the kernel maps were made for`,
    `Raise the size ${size}; it takes effect after alertctl kernel detach.`,
  );
}
