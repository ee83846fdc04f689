import { spoolContract, SPOOL_BYTES } from '../testing/spool-contract.ts';
import { MemorySpool } from './memory-spool.ts';

spoolContract(
  'MemorySpool',
  () => new MemorySpool({ maxBytes: SPOOL_BYTES, schemaVersion: 7, nowMs: () => 1000 }),
);
