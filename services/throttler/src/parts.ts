// What the benchmarks take from here: the parts that hold a partition's state and its checkpoint.

export { RedisCheckpointStore } from './adapters/redis-checkpoint-store.ts';
export { Checkpointer } from './checkpointer.ts';
export { RecordFolder } from './core/record-folder.ts';
