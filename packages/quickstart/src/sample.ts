// The sample that `npm start` feeds to the producer: what is sent when, and as which line of JSON. The times in the
// alerts follow the plan exactly, so that what the throttle decides about them can be worked out beforehand.
import {
  CRON_JOB,
  HOST,
  MYSQL,
  UBUNTU,
  VAULT,
  WORDPRESS,
  type AlertFields,
  type SamplePod,
  type Spelling,
} from './sample-pods.ts';

/** How the flood and the busy container compare with the threshold follows from the limit in force. */
export interface SampleLimits {
  readonly maxAlertPerSec: number;
}

/** One line to be sent. */
export interface SampleLine {
  /** When, in milliseconds from the start of the sample. */
  readonly atMs: number;
  readonly container: SampleContainer;
  /** The line, without its line break, for the moment that it happens at (Unix microseconds). */
  readonly text: (atMicros: number) => string;
}

export type SampleContainer = 'flood' | 'busy' | 'quiet' | 'blocked' | 'deleted' | 'host';

export const SAMPLE_MS = 8_000;
const FLOOD_FROM_MS = 500;
const FLOOD_MS = 5_000;
/** The flood is four times the threshold, within what a small machine can show. */
const MIN_FLOOD_PER_SEC = 40;
const MAX_FLOOD_PER_SEC = 2_000;
const MAX_BUSY_PER_SEC = 500;

/** Every line of the sample, in the order of time. `random` makes the 64 hex digits of a container id. */
export function planSample(limits: SampleLimits, random: () => string): SampleLine[] {
  const plan = new Plan(random);
  const floodPerSec = Math.min(Math.max(4 * limits.maxAlertPerSec, MIN_FLOOD_PER_SEC), MAX_FLOOD_PER_SEC);
  plan.add('flood', WORDPRESS, { fromMs: FLOOD_FROM_MS, forMs: FLOOD_MS, perSec: floodPerSec });
  plan.add('flood', WORDPRESS, { fromMs: FLOOD_FROM_MS + FLOOD_MS, forMs: 2_500, perSec: 4 });

  // One alert less than the threshold in each second; with a threshold of 1, one every two seconds.
  const busyPerSec =
    limits.maxAlertPerSec === 1 ? 0.5 : Math.min(limits.maxAlertPerSec - 1, MAX_BUSY_PER_SEC);
  plan.add('busy', MYSQL, { fromMs: 0, forMs: SAMPLE_MS, perSec: busyPerSec });

  // Never two within a second, so that no limit can throttle it.
  plan.add('quiet', VAULT, { fromMs: 250, forMs: SAMPLE_MS, perSec: 0.6 });
  // Above the default threshold, but blocked in the kernel: the throttler lets them through.
  plan.add('blocked', UBUNTU, { fromMs: 2_000, forMs: 2_000, perSec: 15 });
  plan.add('deleted', CRON_JOB, { fromMs: 100, forMs: 5_000, perSec: 0.8 });
  plan.delete('deleted', 6_000);
  plan.add('host', HOST, { fromMs: 3_000, forMs: 4_000, perSec: 0.5 });
  return plan.sorted();
}

interface Stretch {
  readonly fromMs: number;
  readonly forMs: number;
  readonly perSec: number;
}

class Plan {
  readonly #lines: SampleLine[] = [];
  readonly #ids = new Map<SampleContainer, string>();
  readonly #counts = new Map<SampleContainer, number>();
  readonly #random: () => string;

  constructor(random: () => string) {
    this.#random = random;
  }

  /** Alerts at even distances, the first at the start of the stretch. */
  add(container: SampleContainer, pod: SamplePod, { fromMs, forMs, perSec }: Stretch): void {
    const id = container === 'host' ? {} : { ContainerID: this.#id(container) };
    const alerts = Math.round((forMs / 1000) * perSec);
    for (let index = 0; index < alerts; index++) {
      const number = this.#next(container);
      const fields = {
        ...pod.fields,
        ...pod.variants[number % pod.variants.length],
        ...id,
        ...pids(container, number),
      };
      this.#lines.push({
        atMs: fromMs + (index * 1000) / perSec,
        container,
        text: (atMicros) => asJson({ ...times(atMicros), ...fields }, pod.spelling),
      });
    }
  }

  delete(container: SampleContainer, atMs: number): void {
    const line = JSON.stringify({ Operation: 'ContainerDeleted', ContainerID: this.#id(container) });
    this.#lines.push({ atMs, container, text: () => line });
  }

  sorted(): SampleLine[] {
    return this.#lines.sort((left, right) => left.atMs - right.atMs);
  }

  #id(container: SampleContainer): string {
    const known = this.#ids.get(container);
    if (known !== undefined) return known;
    const id = this.#random();
    this.#ids.set(container, id);
    return id;
  }

  #next(container: SampleContainer): number {
    const number = this.#counts.get(container) ?? 0;
    this.#counts.set(container, number + 1);
    return number;
  }
}

/** A process of its own for each alert, as `cat` or `apt` would be; in the container's and in the host's numbers. */
function pids(container: SampleContainer, number: number): AlertFields {
  const pid = 200 + number;
  const onHost = { HostPPID: 495_804, HostPID: 495_877 + number };
  return container === 'host'
    ? { ...onHost, PPID: 495_804, PID: 495_877 + number }
    : { ...onHost, PPID: 1, PID: pid };
}

function times(atMicros: number): AlertFields {
  const seconds = Math.floor(atMicros / 1_000_000);
  const fraction = String(atMicros % 1_000_000).padStart(6, '0');
  const UpdatedTime = `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
  return { Timestamp: seconds, UpdatedTime };
}

function asJson(fields: AlertFields, spelling: Spelling): string {
  return JSON.stringify(spelling === 'feed' ? { PPID: 0, UID: 0, ...fields } : logFileSpelling(fields));
}

/** Names of KubeArmor's log file that are not the feed's with a small first letter. */
const LOG_FILE_NAMES: Readonly<Record<string, string>> = {
  ATags: 'atags',
  HostPID: 'hostPid',
  HostPPID: 'hostPPid',
  PID: 'pid',
  PPID: 'ppid',
  TTY: 'tty',
  UID: 'uid',
};

/** As KubeArmor writes it to its log file. `oid` is known to that file only. */
function logFileSpelling(fields: AlertFields): AlertFields {
  const spelled = Object.entries({ PPID: 0, UID: 0, ...fields }).map(([name, value]) => [
    LOG_FILE_NAMES[name] ?? smallFirst(name),
    isRecord(value) && name !== 'EventData' ? withSmallNames(value) : value,
  ]);
  return { ...(Object.fromEntries(spelled) as AlertFields), oid: 0 };
}

function isRecord(value: unknown): value is AlertFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withSmallNames(record: AlertFields): AlertFields {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [smallFirst(name), value]));
}

function smallFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
