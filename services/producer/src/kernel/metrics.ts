// The kernel source's numbers for Prometheus. Every label's values are a closed list.
import { COUNTERS } from '@alert-throttle/kernel';
import type { Metrics } from '@alert-throttle/observability';
import { KINDS, type Kind } from '@alert-throttle/policy';
import type { KernelPort } from './kernel-port.ts';
import { EVENT_TYPES, type KernelObserver } from './observer.ts';

/** A container that runs without its rules for longer than a second is an exception. */
const EXPOSURE_BUCKETS = [0, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export function kernelObserver(metrics: Metrics): KernelObserver {
  const events = metrics.counter('producer_kernel_events_total', 'Events read from the rings.', ['type']);
  const skipped = metrics.counter(
    'producer_kernel_ring_skipped_total',
    'Numbers that a ring skipped: of events that it did not take, or that came a moment later.',
    ['ring'],
  );
  const strangers = metrics.counter(
    'producer_kernel_strangers_total',
    'Containers whose alerts went out under their cgroup, as they did not become known in time.',
  );
  const exposed = metrics.histogram(
    'producer_kernel_exposure_seconds',
    "At most so long a new container's own program ran without its rules.",
    [],
    EXPOSURE_BUCKETS,
  );
  const held = metrics.histogram(
    'producer_kernel_gate_seconds',
    'How long new containers were frozen (ENFORCER_GATE), and whether their rules were in force then.',
    ['outcome'],
    EXPOSURE_BUCKETS,
  );
  const refused = metrics.counter(
    'producer_kernel_refused_total',
    'Policy files, policies and rule sets that could not be used.',
    ['what'],
  );
  const selfTests = metrics.counter('producer_kernel_self_tests_total', 'Self-tests, by outcome.', ['armed']);
  const selfTestSeconds = metrics.gauge(
    'producer_kernel_self_test_seconds',
    'How long the last self-test took.',
  );
  for (const type of EVENT_TYPES) events.inc({ type }, 0);
  for (const ring of ['enforcement', 'audit']) skipped.inc({ ring }, 0);
  for (const what of ['policy file', 'policy', 'rule set']) refused.inc({ what }, 0);
  return {
    event: (type) => events.inc({ type }),
    skipped: (ring, numbers) => skipped.inc({ ring }, numbers),
    stranger: () => strangers.inc(),
    exposed: (seconds) => exposed.observe(seconds),
    held: (seconds, areRulesIn) => held.observe({ outcome: areRulesIn ? 'in force' : 'let go' }, seconds),
    refused: (what) => refused.inc({ what }),
    selfTest: (seconds, armed) => {
      selfTests.inc({ armed: String(armed) });
      selfTestSeconds.set(seconds);
    },
  };
}

export interface KernelFigures {
  readonly containers: number;
  readonly starting: number;
  readonly waiting: number;
  /** Containers whose rules AppArmor does not enforce, as they are not under their profile. */
  readonly unconfined: number;
  readonly policies: number;
  readonly policiesRefused: number;
  readonly armed: readonly Kind[];
  readonly isArmed: boolean;
}

/** Returns what brings the gauges up to date; to be called each second. */
export function kernelGauges(
  metrics: Metrics,
  kernel: Pick<KernelPort, 'counters' | 'programs'>,
  figures: () => KernelFigures,
): () => void {
  const containers = metrics.gauge('producer_kernel_containers', 'Containers on this node.');
  const starting = metrics.gauge(
    'producer_kernel_containers_starting',
    'Those whose own program does not run yet.',
  );
  const waiting = metrics.gauge('producer_kernel_alerts_waiting', 'Alerts whose container is not known yet.');
  const unconfined = metrics.gauge(
    'producer_kernel_containers_unconfined',
    'Containers with rules that AppArmor does not enforce, as they are not under their profile.',
  );
  const policies = metrics.gauge('producer_kernel_policies', 'Policies.', ['state']);
  const node = metrics.gauge(
    'producer_kernel_node_armed',
    '1 while every kind of rule is proven to be enforced.',
  );
  const kinds = metrics.gauge(
    'producer_kernel_armed',
    '1 while this kind of rule is proven to be enforced.',
    ['kind'],
  );
  const alerts = metrics.gauge(
    'producer_kernel_counters',
    "The kernel's own counters since its maps were made; matched = emitted + lost + dropped.",
    ['counter'],
  );
  const misses = metrics.gauge(
    'producer_kernel_recursion_misses',
    'Runs of a program that the kernel left out, as it was running on that CPU already.',
    ['program'],
  );
  return () => {
    const now = figures();
    containers.set(now.containers);
    starting.set(now.starting);
    waiting.set(now.waiting);
    unconfined.set(now.unconfined);
    policies.set({ state: 'in force' }, now.policies);
    policies.set({ state: 'refused' }, now.policiesRefused);
    node.set(now.isArmed ? 1 : 0);
    for (const kind of KINDS) kinds.set({ kind }, now.armed.includes(kind) ? 1 : 0);
    const counts = kernel.counters();
    for (const counter of COUNTERS) alerts.set({ counter }, Number(counts[counter]));
    for (const { name, recursionMisses } of kernel.programs())
      misses.set({ program: name }, Number(recursionMisses));
  };
}
