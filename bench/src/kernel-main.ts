// npm run bench:kernel: prints a table on standard error and one JSON object on standard output.
import { parseArgs } from 'node:util';
import { KERNELS } from '@alert-throttle/guest';
import { DEFAULTS, kernelBench, type CostRow } from './kernel.bench.ts';

const USAGE = `Usage: npm run bench:kernel [-- OPTIONS]

  --kernel NAME   ${KERNELS.join(' or ')} (default: ${DEFAULTS.kernel})
  --calls N       of each kind (default: ${DEFAULTS.calls})
  --rules LIST    sizes of the rule sets (default: ${DEFAULTS.rules.join(',')})
  --containers N  (default: ${DEFAULTS.containers})
  --cpus LIST     for the throughput (default: ${DEFAULTS.cpus.join(',')}; 0: none)
`;

const { values } = parseArgs({
  options: {
    kernel: { type: 'string', default: DEFAULTS.kernel },
    calls: { type: 'string', default: String(DEFAULTS.calls) },
    rules: { type: 'string', default: DEFAULTS.rules.join(',') },
    containers: { type: 'string', default: String(DEFAULTS.containers) },
    cpus: { type: 'string', default: DEFAULTS.cpus.join(',') },
    help: { type: 'boolean', default: false },
  },
});

/** From KubeArmor's programs alone, measured elsewhere; trampolines and the rest of the call are not in them. */
const KUBEARMOR: readonly (readonly [call: string, shape: string, depth: number, text: string])[] = [
  ['open', 'exact', 2, '15.9 k'],
  ['open', 'exact', 12, '21.5-23.6 k'],
  ['open', 'directory', 12, '31 k'],
  ['exec', 'exact', 3, '32.5 k'],
];

function kubeArmor({ call, shape, depth, where }: CostRow): string {
  if (where === 'outside') return '';
  return KUBEARMOR.find((one) => one[0] === call && one[1] === shape && one[2] === depth)?.[3] ?? '';
}

function outcome({ failed, throttled }: CostRow): string {
  if (failed === 0) return 'allowed';
  return throttled ? 'refused, throttled' : 'refused, with event';
}

function print(rows: readonly CostRow[]): void {
  const head = [
    'call',
    'where',
    'depth',
    'rules',
    'containers',
    'reader',
    'outcome',
    'unloaded',
    'added',
    'mean',
    'KubeArmor',
  ];
  const cells = rows.map((row) => [
    ...[row.call, row.where, String(row.depth), `${row.rules} ${row.shape}`, String(row.containers)],
    ...[row.reader ? 'live' : '', outcome(row)],
    ...[row.unloaded, row.added, row.addedMean].map(String),
    kubeArmor(row),
  ]);
  const widths = head.map((name, at) => Math.max(name.length, ...cells.map((row) => row[at]?.length ?? 0)));
  for (const row of [head, ...cells])
    process.stderr.write(`${row.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  ')}\n`);
}

const kernel = KERNELS.find((name) => name === values.kernel);
if (values.help) {
  process.stdout.write(USAGE);
} else if (kernel === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const result = await kernelBench({
    kernel,
    calls: Number(values.calls),
    rules: values.rules.split(',').map(Number),
    containers: Number(values.containers),
    cpus: values.cpus
      .split(',')
      .map(Number)
      .filter((count) => count > 0),
    log: (line) => void process.stderr.write(`${line}\n`),
  });
  print(result.rows);
  for (const { cpus, perSecond } of result.throughput)
    process.stderr.write(`${cpus} CPUs, one window: ${perSecond} refused opens a second\n`);
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
}
