// `alertctl kernel`: what enforces on this node, whether that is proven, who is throttled there; and taking it down.
import {
  detachKernel,
  inspectKernel,
  KernelError,
  RINGS,
  type Counters,
  type ProgramStatus,
  type RingCounters,
  type ThrottleEntry,
} from '@alert-throttle/kernel';
import { bootTimeNs, cgroupPaths } from './cgroup-paths.ts';
import { CommandError } from './errors.ts';
import { askProducer, type ProducerAnswer } from './producer-status.ts';
import type { Session } from './session.ts';
import { kernelJson, kernelText } from './kernel-text.ts';

export interface KernelCommandOptions {
  readonly json?: boolean;
}

export interface KernelReport {
  readonly pinDir: string;
  readonly nowBootNs: bigint;
  readonly throttleMap: readonly ThrottleEntry[];
  /** Paths by id, as far as they are there. */
  readonly cgroups: ReadonlyMap<bigint, string>;
  readonly counters: Counters;
  readonly rings: Readonly<Record<(typeof RINGS)[number], RingCounters>>;
  readonly programs: readonly ProgramStatus[];
  readonly limits: {
    readonly alertThrottling: boolean;
    readonly maxAlertPerSec: number;
    readonly throttleSec: number;
  };
  readonly producer: ProducerAnswer;
}

/** Limits of all containers. */
const DEFAULT_PROFILE = 0;

/** Throws CommandError. The producer need not run: then what is armed is not known. */
export async function kernel(session: Session, options: KernelCommandOptions): Promise<void> {
  const { config, out } = session;
  const producer = await askProducer(config);
  const report = inspected(config.pinDir, producer);
  await out.print(
    options.json === true ? JSON.stringify(kernelJson(report), jsonValue, 2) : kernelText(report),
  );
}

/** Throws CommandError. */
export async function kernelDetach({ config, out }: Session): Promise<void> {
  const { pinDir } = config;
  const wasThere = named(() => detachKernel({ pinDir }));
  await out.print(
    wasThere
      ? `Taken down: no policy is enforced on this node any more, and nothing is pinned under ${pinDir}.`
      : `Nothing is pinned under ${pinDir}.`,
  );
}

function inspected(pinDir: string, producer: ProducerAnswer): KernelReport {
  return named(() => {
    const view = inspectKernel({ pinDir });
    try {
      const throttleMap = view.throttleMap();
      return {
        pinDir,
        nowBootNs: bootTimeNs(),
        throttleMap,
        cgroups: cgroupPaths(throttleMap.map(({ container }) => container)),
        counters: view.counters(),
        rings: view.rings(),
        programs: view.programs(),
        limits: view.limits(DEFAULT_PROFILE),
        producer,
      };
    } finally {
      view.close();
    }
  });
}

function named<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof KernelError)
      throw new CommandError(`${error.code}: ${error.message}. ${error.hint}`);
    throw error;
  }
}

function jsonValue(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
