/**
 * What does the throttler pay to read only what it needs of an alert, compared with decoding all of it?
 *
 * All cases run in turns in one process, so that their ratios hold on a noisy machine; the result is JSON on standard
 * output. Values come from a buffer far larger than the caches' first levels, and from several containers.
 */
import { AlertWriter, createReader, releasedSchemas } from '@alert-throttle/alert';

import { machine, type Machine } from './machine.ts';
import { sampleAlert } from './sample-alert.ts';
import { percentile } from './statistics.ts';

const ALERTS = 2000;
const CONTAINERS = 50;
const WARMUP_ROUNDS = 20;
const ROUNDS = 100;

export interface CodecCase {
  /** Nanoseconds per alert: the median and the 99th percentile of the rounds. */
  readonly medianNs: number;
  readonly p99Ns: number;
  /** Median by the median of decoding the whole alert of the same schema. */
  readonly ratioToDecode: number;
}

export interface CodecBench {
  readonly machine: Machine;
  readonly valueBytes: number;
  readonly cases: Readonly<Record<string, CodecCase>>;
}

/** Whatever the last call returned: keeps the calls from being optimised away. */
let sink: unknown;

/** Runs each case once per round over all its inputs; returns nanoseconds per input, per case and round. */
function measure(cases: Readonly<Record<string, () => number>>): Map<string, number[]> {
  const samples = new Map(Object.keys(cases).map((name) => [name, [] as number[]]));
  for (let round = 0; round < WARMUP_ROUNDS + ROUNDS; round++) {
    for (const [name, run] of Object.entries(cases)) {
      const startNs = process.hrtime.bigint();
      const inputs = run();
      const perInputNs = Number(process.hrtime.bigint() - startNs) / inputs;
      if (round >= WARMUP_ROUNDS) samples.get(name)?.push(perInputNs);
    }
  }
  return samples;
}

function over<T>(inputs: readonly T[], call: (input: T) => unknown): () => number {
  return () => {
    for (const input of inputs) sink = call(input);
    return inputs.length;
  };
}

export function codecBench(): CodecBench {
  const alerts = Array.from({ length: ALERTS }, (_, index) => sampleAlert(index, CONTAINERS));
  const writer = new AlertWriter(1);
  const values = alerts.map((alert) => writer.encode(alert));
  const oldest = releasedSchemas[0];
  const newest = releasedSchemas.at(-1);
  if (oldest === undefined || newest === undefined) throw new Error('no released schema');
  const header = Buffer.from([0, 0, 0, 0, 1]);
  const oldValues = alerts.map((alert) => Buffer.concat([header, oldest.type.toBuffer(alert)]));
  const reader = createReader(newest.type);
  const oldReader = createReader(oldest.type);

  const samples = measure({
    decode: over(values, (value) => reader.decode(value)),
    leading: over(values, (value) => reader.leading(value)),
    decodeOldest: over(oldValues, (value) => oldReader.decode(value)),
    leadingOldest: over(oldValues, (value) => oldReader.leading(value)),
    avscDecode: over(values, (value) => newest.type.decode(value, header.length)),
    encode: over(alerts, (alert) => writer.encode(alert)),
  });
  const sorted = new Map([...samples].map(([name, times]) => [name, times.sort((a, b) => a - b)]));
  const cases = [...sorted].map(([name, times]) => {
    const decode = Math.round(
      percentile(sorted.get(name.endsWith('Oldest') ? 'decodeOldest' : 'decode') ?? [], 0.5),
    );
    const medianNs = Math.round(percentile(times, 0.5));
    const ratioToDecode = Math.round((1000 * medianNs) / decode) / 1000;
    return [name, { medianNs, p99Ns: Math.round(percentile(times, 0.99)), ratioToDecode }] as const;
  });
  return {
    machine: machine(),
    valueBytes: values[0]?.length ?? 0,
    cases: Object.fromEntries(cases),
  };
}

if (import.meta.main) {
  console.log(JSON.stringify(codecBench(), undefined, 2));
  if (sink === undefined) throw new Error('nothing was measured');
}
