// What the kernel source remembers across restarts: rules by number, containers, the policies last in force. Rules are on
// the disk before the kernel has them; the rest within a second.
import { readFileSync } from 'node:fs';
import type { CompiledRule } from '@alert-throttle/policy';
import type { Logger } from '../ports.ts';
import { StateFile, type SavedContainer, type SavedState } from './adapters/state-file.ts';
import type { ClockStep } from './core/clock-history.ts';
import { RuleBook } from './core/rule-book.ts';

export interface Remembered {
  readonly containers: readonly SavedContainer[];
  readonly policies: Readonly<Record<string, string>>;
  /** Of the file of labels. */
  readonly labels: string;
  readonly clock: readonly ClockStep[];
}

export class Memory {
  readonly rules: RuleBook;
  /** Of this machine's present life. */
  readonly bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  readonly #file: StateFile;
  readonly #before: SavedState;
  readonly #now: () => Remembered;
  #isDirty = false;

  /** `now`: what is to be remembered. */
  constructor(folder: string, now: () => Remembered, logger: Logger) {
    this.#now = now;
    this.#file = new StateFile(folder);
    const { path } = this.#file;
    this.#before = this.#file.load((reason) => logger.error({ path }, `${path} cannot be used: ${reason}`));
    this.rules = new RuleBook(this.#before.rules);
  }

  /** Of the run before this one; its cgroup ids mean something only in the same boot. */
  get before(): Remembered & { readonly isSameBoot: boolean } {
    return { ...this.#before, isSameBoot: this.#before.bootId === this.bootId };
  }

  addRules(rules: readonly CompiledRule[]): void {
    if (this.rules.add(rules)) this.save();
  }

  changed(): void {
    this.#isDirty = true;
  }

  saveIfChanged(): void {
    if (this.#isDirty) this.save();
  }

  save(): void {
    this.#isDirty = false;
    this.#file.save({ bootId: this.bootId, rules: this.rules.all, ...this.#now() });
  }
}
