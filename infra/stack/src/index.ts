// The local stack as a library: for `npm start`, the tests and the benchmarks.
export { envOf, formatEnv, parseEnv, type StackEnv } from './env-file.ts';
export { StackError, STACK_ERROR_CODES, type StackErrorCode } from './errors.ts';
export type { TopicPlan } from './kafka.ts';
export { KafkaBroker, KafkaCluster, type KafkaClusterOptions } from './kafka-cluster.ts';
export type { Properties, SecurityProtocol } from './kafka-node.ts';
export type { ComponentName } from './layout.ts';
export { killStack, stackDown, stackEnv, stackUp, type DownOptions } from './stack.ts';
export { DEFAULT_TOPICS, type StackUp, type UpOptions } from './start.ts';
export { stackStatus, type ComponentStatus } from './status.ts';
export { identify, isAlive, readPidFile, writePidFile, type ProcessId } from './process-id.ts';
export { findRedis, type RedisServer } from './programs.ts';
export { executable, onPath, provide, type Need, type Provided, type ProvideOptions } from './provide.ts';
export { withLock } from './lock.ts';
export { run, tail, type Result, type RunOptions } from './run.ts';
export { DEFAULT_STACK_DIR, stackDir } from './stack-dir.ts';
