// Prometheus metrics, under one prefix and with what Node tells of the process.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const PREFIX = 'alert_throttle_';

/** Seconds, from a millisecond to the ten seconds that a transaction may take. */
export const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class Metrics {
  readonly registry = new Registry();

  constructor(service: string) {
    this.registry.setDefaultLabels({ service });
    collectDefaultMetrics({ register: this.registry });
  }

  /** `name` without the prefix `alert_throttle_`; a counter's ends with `_total`. */
  counter<L extends string = never>(name: string, help: string, labels: readonly L[] = []): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames: labels, registers: [this.registry] });
  }

  gauge<L extends string = never>(name: string, help: string, labels: readonly L[] = []): Gauge<L> {
    return new Gauge({ name: PREFIX + name, help, labelNames: labels, registers: [this.registry] });
  }

  /** Durations are in seconds; the default buckets are for those. */
  histogram<L extends string = never>(
    name: string,
    help: string,
    labels: readonly L[] = [],
    buckets: readonly number[] = SECONDS_BUCKETS,
  ): Histogram<L> {
    const registers = [this.registry];
    return new Histogram({ name: PREFIX + name, help, labelNames: labels, buckets: [...buckets], registers });
  }
}
