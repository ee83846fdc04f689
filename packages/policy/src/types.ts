// What the parts of the kernel source share about policies: a policy as it was read, and the rule set that a container gets.

export const KINDS = ['process', 'file', 'network', 'capability'] as const;
export type Kind = (typeof KINDS)[number];

export const MATCHES = ['exact', 'execname', 'dir', 'dirRecursive', 'protocol', 'capability'] as const;
export type Match = (typeof MATCHES)[number];

/** In order of precedence at equal rank. */
export const ACTIONS = ['Block', 'Audit', 'Allow'] as const;
export type Action = (typeof ACTIONS)[number];

export type Posture = 'none' | 'audit' | 'block';
export type Postures = Readonly<Record<Kind, Posture>>;

export interface PolicyMeta {
  readonly name: string;
  readonly namespace: string;
}

/** What a rule says, apart from the policy that it stands in. */
export interface PolicyRule {
  readonly kind: Kind;
  readonly match: Match;
  /**
   * `exact`: an absolute path. `dir`, `dirRecursive`: an absolute path that ends with a slash ("/" is the root).
   * `execname`, `protocol`, `capability`: the name, the latter two in lower case.
   */
  readonly path: string;
  /** Path of the executable that the rule is bound to: the parent's for process rules, the task's own for the others. */
  readonly source?: string;
  readonly action: Action;
  /** Block and Audit leave reads alone; Allow allows reads only. File rules only. */
  readonly readOnly: boolean;
  /** Block and Audit leave the file's owner alone; Allow allows the owner only. Process and file rules only. */
  readonly ownerOnly: boolean;
  /** "1" to "10". */
  readonly severity: string;
  readonly tags: readonly string[];
  readonly message: string;
}

export interface CompiledRule extends PolicyRule {
  /** 1 to 2^32 - 2, made from the content, unique in its rule set. */
  readonly number: number;
  readonly policy: PolicyMeta;
}

/** The rules of one container. Immutable; containers with equal keys share it. */
export interface RuleSet {
  /** Digest of everything in it: equal content, equal key. */
  readonly key: string;
  readonly rules: readonly CompiledRule[];
  /** `none` where the kind has no Allow rule. */
  readonly posture: Postures;
  /** Nothing is refused; what would be, is audited. */
  readonly audited: boolean;
}

/** Which containers a policy applies to, all conditions together. */
export interface Selector {
  readonly labels: ReadonlyMap<string, string>;
  /** Empty, or at least one of them must be on the pod, as `key=value`. */
  readonly anyOf: readonly string[];
  /** None of them may be on the pod. */
  readonly noneOf: readonly string[];
  /** Names of containers; empty: all of the pod. */
  readonly containers: readonly string[];
}

export interface Policy extends PolicyMeta {
  readonly selector: Selector;
  readonly rules: readonly PolicyRule[];
}
