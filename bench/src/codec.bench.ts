/**
 * What does the throttler pay to read only what it needs of an alert, compared with decoding all of it?
 *
 * All cases run in turns in one process, so that their ratios hold on a noisy machine; the result is JSON on standard
 * output. Values come from a buffer far larger than the caches' first levels, and from several containers.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { AlertWriter, createReader, makeAlert, releasedSchemas, type Alert } from '@alert-throttle/alert';

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
  readonly node: string;
  readonly cpu: string;
  readonly commit: string;
  readonly valueBytes: number;
  readonly cases: Readonly<Record<string, CodecCase>>;
}

/** An audit alert as KubeArmor sends it for a policy on a web server's container. */
function sampleAlert(index: number): Alert {
  const container = index % CONTAINERS;
  return makeAlert({
    ContainerID: Array.from({ length: 64 }, (_, at) =>
      ((container * 7 + at * 13 + container * at) & 15).toString(16),
    ).join(''),
    NodeID: '3f5c1c0e8a7d4b5f9a6c2e1d0b9f8a77',
    BootID: '0b6c8c0e-5b1f-4a8b-9d0e-5f4d3c2b1a00',
    Sequence: 1_000_000 + index,
    EventTimeMicros: 1_763_881_200_000_000 + index * 1003,
    Type: 'MatchedPolicy',
    Operation: ['File', 'Process', 'Network'][index % 3] ?? '',
    Action: 'Audit',
    Enforcer: 'eBPF Monitor',
    NamespaceName: 'wordpress-mysql',
    PolicyName: 'ksp-wordpress-block-process',
    Severity: '5',
    Timestamp: 1_763_881_200,
    UpdatedTime: '2025-11-23T07:00:00.000123Z',
    ClusterName: 'default',
    HostName: 'prateek',
    PodName: 'wordpress-586468bf4f-8bf6x',
    ContainerName: 'wordpress',
    HostPID: 123_456 + index,
    PPID: 4242,
    PID: 777 + index,
    UID: 33,
    Tags: 'NIST,MITRE,PCI_DSS',
    Message: 'Alert! Execution of package management process inside container is denied',
    Source: '/usr/bin/bash',
    Resource: `/usr/bin/apt update --flag ${index}`,
    Data: 'syscall=SYS_EXECVE fd=-100 flags=O_RDONLY',
    Result: 'Passed',
    ContainerImage:
      'docker.io/library/wordpress:4.8-apache@sha256:6216f64ab88fc51d311e38c7f69ca3f9aaba621492b4f1fa93ddf63093768845',
    ParentProcessName: '/usr/bin/bash',
    ProcessName: '/usr/bin/apt',
    HostPPID: 123_400,
    Labels: 'app=wordpress,pod-template-hash=586468bf4f',
    ATags: ['NIST', 'MITRE', 'PCI_DSS'],
    Owner: { Ref: 'Deployment', Name: 'wordpress', Namespace: 'wordpress-mysql' },
    Cwd: '/var/www/html/',
    TTY: 'pts0',
    ExecEvent: { ExecID: '184467440737', ExecutableName: 'apt' },
    EventData: { Syscall: 'SYS_EXECVE' },
  });
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

function percentile(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}

function over<T>(inputs: readonly T[], call: (input: T) => unknown): () => number {
  return () => {
    for (const input of inputs) sink = call(input);
    return inputs.length;
  };
}

/** The commit that was measured; empty outside a repository with commits. */
function commit(): string {
  const { stdout } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  return /^[0-9a-f]+$/.exec(stdout.trim())?.[0] ?? '';
}

export function codecBench(): CodecBench {
  const alerts = Array.from({ length: ALERTS }, (_, index) => sampleAlert(index));
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
    const decode = percentile(sorted.get(name.endsWith('Oldest') ? 'decodeOldest' : 'decode') ?? [], 0.5);
    const medianNs = percentile(times, 0.5);
    const ratioToDecode = Math.round((1000 * medianNs) / decode) / 1000;
    return [name, { medianNs, p99Ns: percentile(times, 0.99), ratioToDecode }] as const;
  });
  return {
    node: process.version,
    cpu: cpus()[0]?.model ?? '',
    commit: commit(),
    valueBytes: values[0]?.length ?? 0,
    cases: Object.fromEntries(cases),
  };
}

if (import.meta.main) {
  console.log(JSON.stringify(codecBench(), undefined, 2));
  if (sink === undefined) throw new Error('nothing was measured');
}
