// Random records of a raw topic for the property tests: floods of few containers, clocks that are ahead, behind
// and set back, repeats, tombstones, and what is no alert.

import { type Alert, AlertWriter } from '@alert-throttle/alert';
import type { Limits } from '@alert-throttle/throttle';
import fc from 'fast-check';

import type { NewRecord } from './memory-log.ts';
import { auditAlert, encoded, tombstone } from './raw-alerts.ts';

/** The id of a schema that is the newest one, but must be fetched first. */
export const STRANGE_SCHEMA = 9;

const strangeWriter = new AlertWriter(STRANGE_SCHEMA);

/** A record without its place and time. */
export interface RecordSpec {
  readonly kind: 'alert' | 'other' | 'strange' | 'poison' | 'tombstone';
  readonly container: string;
  /** When it happened, relative to the append time; undefined: unknown. */
  readonly skewMicros: number | undefined;
  readonly policy: string;
  /** 0: not numbered. */
  readonly sequence: number;
}

export const anyLimits: fc.Arbitrary<Limits> = fc.record({
  alertThrottling: fc.oneof(
    { weight: 4, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  maxAlertPerSec: fc.integer({ min: 1, max: 3 }),
  throttleSec: fc.integer({ min: 1, max: 4 }),
});

const anyKind = fc.oneof(
  { weight: 20, arbitrary: fc.constant('alert' as const) },
  { weight: 1, arbitrary: fc.constantFrom('other' as const, 'poison' as const, 'tombstone' as const) },
);

export function recordSpec(kind: fc.Arbitrary<RecordSpec['kind']> = anyKind): fc.Arbitrary<RecordSpec> {
  return fc.record({
    kind,
    container: fc.constantFrom('a', 'a', 'a', 'b', 'host:n1'),
    skewMicros: fc.oneof(
      { weight: 4, arbitrary: fc.constant(undefined) },
      { weight: 4, arbitrary: fc.integer({ min: -3000, max: 0 }) },
      { weight: 2, arbitrary: fc.integer({ min: -3_000_000, max: 2_000_000 }) },
      { weight: 1, arbitrary: fc.constantFrom(-1_000_000, -1_000_001, -3_600_000_000, 3_600_000_000) },
    ),
    policy: fc.constantFrom('p1', 'p2'),
    sequence: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 }) },
    ),
  });
}

/** The alert that the spec stands for; `name` tells it from all others. */
export function alertOf(spec: RecordSpec, appendMs: number, name: string): Alert {
  const { kind, container, skewMicros, policy, sequence } = spec;
  return auditAlert({
    ...identityOf(sequence),
    ContainerID: container.startsWith('host:') ? '' : container,
    EventTimeMicros: skewMicros === undefined ? 0 : appendMs * 1000 + 999 + skewMicros,
    PolicyName: policy,
    Resource: name,
    Type: kind === 'other' ? 'ContainerLog' : 'MatchedPolicy',
  });
}

export function recordOf(spec: RecordSpec, appendMs: number, name: string): NewRecord {
  const { kind, container, sequence } = spec;
  if (kind === 'tombstone') return tombstone(appendMs, container, identityOf(sequence));
  const record = { appendMs, key: Buffer.from(container) };
  if (kind === 'poison') return { ...record, value: Buffer.from(name) };
  const alert = alertOf(spec, appendMs, name);
  return { ...record, value: kind === 'strange' ? strangeWriter.encode(alert) : encoded(alert) };
}

/** All come from one life of one producer. */
function identityOf(sequence: number): Pick<Alert, 'NodeID' | 'BootID' | 'Sequence'> {
  return { NodeID: 'n1', BootID: 'b1', Sequence: sequence };
}
