// A producer that is killed again and again while it reads files, until the last of them is in the topic.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tally, type RunServiceOptions } from '@alert-throttle/test-kit';
import { openSqliteSpool } from '../adapters/sqlite-spool.ts';
import { numberedAlerts } from './fate-of-alerts.ts';
import type { FaultScene } from './fault-scene.ts';
import { NODE_ID, runProducer, startProducer, writeLines } from './producer-run.ts';

export interface KillPlan {
  readonly kills: number;
  /** A file that was read to its end is followed by another of so many lines. */
  readonly linesPerFile: number;
  readonly options?: RunServiceOptions;
  /** Where it is not in the scene's folder. */
  readonly spoolDir?: string;
  /** The first time, and half of the others, told how to kill it, to do so at a moment of its own choice; else the moment is random. */
  readonly strike?: (kill: () => void) => void;
  /** Before each start of the producer. */
  readonly beforeRun?: () => void;
  /** Before the last one, which is not killed. */
  readonly beforeLastRun?: () => void;
}

export interface KilledRuns {
  readonly given: ReadonlyMap<string, number>;
  readonly totals: Record<string, unknown>;
  /** What the killed ones printed. */
  readonly output: string;
}

/** Milliseconds after its start, or after it has said that it begins, within which it is killed. */
const KILL_WITHIN_MS = 700;

export async function killAgainAndAgain(scene: FaultScene, plan: KillPlan): Promise<KilledRuns> {
  const { random, folder } = scene;
  const spoolDir = plan.spoolDir ?? join(folder, 'spool');
  const options = { ...plan.options, env: { ...plan.options?.env, SPOOL_DIR: spoolDir } };
  let output = '';
  let given = 0;
  let file: string | undefined;
  let sequenceBefore = 0;
  const nextFile = (): string => {
    sequenceBefore = lookInto(spoolDir, '', options.via).nextSequence;
    const first = given + 1;
    given += plan.linesPerFile;
    return writeLines(folder, numberedAlerts(first, plan.linesPerFile), `alerts-${first}.jsonl`);
  };
  // The place in a file is stored with the first records of it, and forgotten at its end.
  const isUnfinished = (path: string): boolean => {
    const { nextSequence, isReading } = lookInto(spoolDir, path, options.via);
    return isReading || nextSequence === sequenceBefore;
  };
  for (let killed = 0; killed < plan.kills;) {
    plan.beforeRun?.();
    if (file === undefined || !isUnfinished(file)) file = nextFile();
    const service = startProducer(scene, file, options);
    if (plan.strike !== undefined && (killed === 0 || random() < 0.5)) {
      plan.strike(() => service.kill('SIGKILL'));
    } else {
      if (random() < 0.8) await service.printed('producing');
      await sleep(random() * KILL_WITHIN_MS);
      service.kill('SIGKILL');
    }
    const { code, signal } = await service.exited;
    if (signal === null && code !== 0) throw new Error(`exit ${code}:\n${service.output}`);
    if (signal !== null) killed += 1;
    output += service.output;
  }
  tally({ faults: plan.kills });
  plan.beforeLastRun?.();
  if (file !== undefined && isUnfinished(file)) await runProducer(scene, file, options);
  const totals = await runProducer(scene, nextFile(), options);
  return { given: new Map([[NODE_ID, given]]), totals, output };
}

interface SpoolFacts {
  readonly nextSequence: number;
  /** It knows how far the file was read. */
  readonly isReading: boolean;
}

/** At a copy, so that whatever a kill left behind is for the next producer to find. */
function lookInto(dir: string, file: string, via: RunServiceOptions['via']): SpoolFacts {
  const copy = mkdtempSync(join(tmpdir(), 'spool-'));
  try {
    const [program, ...args] = [...(via ?? []), 'cp', '-r', `${dir}/.`, copy] as const;
    spawnSync(program, args);
    const spool = openSqliteSpool({ dir: copy, maxBytes: 1e9, schemaVersion: 1, nowMs: Date.now });
    const { nextSequence } = spool;
    const isReading = spool.cursor(file) !== undefined;
    spool.close();
    return { nextSequence, isReading };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
