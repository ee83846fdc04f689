// The in-memory store keeps to the same contract as the one in Redis.

import { checkpointStoreContract } from './checkpoint-store-contract.ts';
import { MemoryCheckpoints, MemoryCheckpointStore } from './memory-checkpoint-store.ts';

checkpointStoreContract(() => {
  const checkpoints = new MemoryCheckpoints();
  return Promise.resolve({
    store: new MemoryCheckpointStore(checkpoints),
    throttled: (partition) =>
      Promise.resolve(checkpoints.state(partition)?.throttled ?? new Map<string, number>()),
  });
});
