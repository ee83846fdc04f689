// The benchmarks, for whoever wants to run one from code; `npm run bench` runs them from the command line.
export { codecBench } from './codec.bench.ts';
export { compressionBench } from './compression.bench.ts';
export { containersBench } from './containers.bench.ts';
export { decideBench } from './decide.bench.ts';
export { latencyBench } from './latency.bench.ts';
export { recoveryBench } from './recovery.bench.ts';
export { throughputBench } from './throughput.bench.ts';
