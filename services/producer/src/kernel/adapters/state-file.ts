// What must survive a restart beside the spool: which rule each number stands for and whose cgroups were whose, since the
// kernel goes on raising events while the producer is away; and the policies and labels that were last in force, for the
// case that the files have become unusable meanwhile.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { CompiledRule } from '@alert-throttle/policy';
import { z } from 'zod';
import type { Identity } from '../core/alert-of-event.ts';
import type { ClockStep } from '../core/clock-history.ts';
import { codeOf } from '../../errors.ts';

export interface SavedContainer {
  /** Decimal, as JSON has no such large integers. */
  readonly cgroupId: string;
  readonly cgroupPath: string;
  readonly identity: Identity;
  /** Where paths of rules lead inside it: what Allow rules lead to is not asked again. */
  readonly targets: {
    readonly followed: ReadonlyMap<string, string | undefined>;
    readonly kept: ReadonlyMap<string, string | undefined>;
  };
}

export interface SavedState {
  /** Cgroup ids mean nothing in another boot. */
  readonly bootId: string;
  readonly rules: readonly CompiledRule[];
  readonly containers: readonly SavedContainer[];
  /** Texts by name of the file. */
  readonly policies: Readonly<Record<string, string>>;
  readonly labels: string;
  /** What the clock was set to, and when: see ClockHistory. */
  readonly clock: readonly ClockStep[];
}

const ruleSchema = z.looseObject({
  number: z.number().int(),
  path: z.string(),
  action: z.enum(['Block', 'Audit', 'Allow']),
  policy: z.object({ name: z.string(), namespace: z.string() }),
  severity: z.string(),
  tags: z.array(z.string()),
  message: z.string(),
});

/** JSON has no maps, and nothing for a path that leads nowhere but null. */
const targetsSchema = z
  .array(z.tuple([z.string(), z.string().nullable()]))
  .default([])
  .transform((entries) => new Map(entries.map(([path, target]) => [path, target ?? undefined])));

const bigintSchema = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt);

const schema = z.object({
  version: z.literal(1),
  bootId: z.string(),
  rules: z.array(ruleSchema),
  containers: z.array(
    z.object({
      cgroupId: z.string().regex(/^\d+$/),
      cgroupPath: z.string(),
      identity: z.looseObject({ ContainerID: z.string(), NodeID: z.string() }),
      targets: z
        .object({ followed: targetsSchema, kept: targetsSchema })
        .default(() => ({ followed: new Map(), kept: new Map() })),
    }),
  ),
  policies: z.record(z.string(), z.string()),
  labels: z.string(),
  clock: z.array(z.object({ fromNs: bigintSchema, offsetNs: bigintSchema })).default([]),
});

export const NO_STATE: SavedState = {
  bootId: '',
  rules: [],
  containers: [],
  policies: {},
  labels: '',
  clock: [],
};

const FILE_NAME = 'kernel.json';

export class StateFile {
  readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, FILE_NAME);
  }

  /** What was saved last; nothing where there is no such file, or `damaged` where it cannot be read. */
  load(damaged: (reason: string) => void): SavedState {
    try {
      const parsed = schema.parse(JSON.parse(readFileSync(this.path, 'utf8')));
      return parsed as unknown as SavedState;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') damaged(error instanceof Error ? error.message : String(error));
      return NO_STATE;
    }
  }

  /** Whole or not at all, and on the disk when it returns. */
  save(state: SavedState): void {
    const temporary = `${this.path}.new`;
    const file = openSync(temporary, 'w', 0o600);
    try {
      writeSync(file, JSON.stringify({ version: 1, ...state }, plain));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, this.path);
  }
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Map)
    return [...(value as ReadonlyMap<string, unknown>)].map(([key, one]) => [key, one ?? null]);
  return value;
}
