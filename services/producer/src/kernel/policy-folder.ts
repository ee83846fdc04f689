// Follows the folder with policies: what is in force, what is not and why.
import type { Policy } from '@alert-throttle/policy';
import { ProducerError } from '../errors.ts';
import { followFiles, type SettledFiles, type Texts } from './adapters/settled-files.ts';
import { policyRefused } from './core/node-events.ts';
import { policiesOf, type PolicyState } from './core/policy-store.ts';
import type { Voice } from './voice.ts';

export interface PolicyFolderOptions {
  readonly folder: string;
  /** What was in force when the last run ended, by name of the file. */
  readonly lastGood: Readonly<Record<string, string>>;
  /** The kernel enforces rules already: they must not give way to none for want of a folder. */
  readonly hasRulesInForce: boolean;
  readonly onPolicies: (policies: readonly Policy[]) => void;
  readonly voice: Voice;
}

export class PolicyFolder {
  readonly #options: PolicyFolderOptions;
  readonly #files: SettledFiles;
  #state: PolicyState;
  #isTold = false;
  #toldRefused = new Map<string, string>();
  #toldWarnings = new Set<string>();

  /**
   * Reads the folder before it returns. Where that fails, what was in force last is in force again. Throws KERNEL_UNUSABLE
   * where nobody knows what that was, although something is.
   */
  constructor(options: PolicyFolderOptions) {
    this.#options = options;
    const { folder, lastGood, hasRulesInForce, voice } = options;
    let trouble = '';
    const accept = (texts: Texts): void => {
      this.#isTold = true;
      this.#state = policiesOf(texts, this.#state.texts);
      this.#tell();
      options.onPolicies(this.#state.policies);
    };
    this.#state = { policies: [], refused: new Map(), warnings: [], texts: lastGood };
    this.#files = followFiles({
      folder,
      isMeant: (name) => /\.ya?ml$/i.test(name) && !name.startsWith('.'),
      onTexts: accept,
      onFolderError: (reason) => {
        trouble = reason;
        voice.logger.error({ folder }, `POLICY_DIR ${folder}: ${reason}; the policies in force stay`);
      },
    });
    if (this.#isTold) return;
    if (Object.keys(lastGood).length > 0) accept(new Map(Object.entries(lastGood)));
    else if (hasRulesInForce) {
      void this.#files.close();
      throw new ProducerError(
        'KERNEL_UNUSABLE',
        `SOURCE=kernel cannot start: POLICY_DIR ${folder}: ${trouble}; rules are in force in the kernel, and which ` +
          'policies they came from is not known. Make the folder readable, or run alertctl kernel detach.',
      );
    }
  }

  get state(): PolicyState {
    return this.#state;
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  #tell(): void {
    const { voice, folder } = this.#options;
    const { policies, refused, warnings, texts } = this.#state;
    voice.logger.info(
      { folder, policies: policies.length, files: Object.keys(texts).length, refused: refused.size },
      `${policies.length} ${policies.length === 1 ? 'policy' : 'policies'} in force from ${folder}`,
    );
    for (const warning of warnings) {
      if (this.#toldWarnings.has(warning)) continue;
      voice.logger.warn({ folder }, warning);
    }
    this.#toldWarnings = new Set(warnings);
    const told = new Map<string, string>();
    for (const [file, reasons] of refused) {
      const reason = reasons.join('; ');
      told.set(file, reason);
      if (this.#toldRefused.get(file) === reason) continue;
      const kept = Object.hasOwn(texts, file)
        ? 'what it said last stays in force'
        : 'nothing of it is in force';
      voice.observer.refused('policy file');
      voice.logger.error({ file, reasons }, `${reason}; ${kept}`);
      voice.say((origin) => policyRefused(origin, file, `${reason}; ${kept}`));
    }
    this.#toldRefused = told;
  }
}
