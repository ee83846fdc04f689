// What a consumer is given that asks for it: a partition's records in one piece instead of a message for each.
//
// kafkajs filters, counts and commits by messages, so there is one, with the offset of the last record; it carries the
// records. Where a fetch holds batches of transactions, kafkajs needs each record to tell which were aborted: then all
// are messages, and made one piece of afterwards. The decoder is kafkajs's for all consumers of a process, so which of
// them asked goes with the asynchronous context that the consumer was started in.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Batch } from 'kafkajs';
import {
  batchesIn,
  codecOf,
  CONTROL,
  factsOf,
  type FetchedRecord,
  HEAD_BYTES,
  MAGIC,
  NO_HEADERS,
  readContext,
  TRANSACTIONAL,
} from './fetched-batches.ts';
import { writableHeaders } from './headers.ts';
import { PartitionRecords } from './partition-records.ts';
import { RecordIndex } from './record-index.ts';

const asked = new AsyncLocalStorage<true>();

/** What is fetched by a consumer that is run in there comes as `partitionRecords` reads it. */
export function asPartitionRecords<T>(run: () => T): T {
  return asked.run(true, run);
}

/** The records of a batch of such a consumer. */
export function partitionRecords(batch: Batch): PartitionRecords {
  const { messages, fetchedOffset } = batch as Batch & { readonly fetchedOffset: string };
  const [first] = messages as (FetchedRecord & Partial<RecordsMessage>)[];
  if (first?.records !== undefined) return first.records.slice(first.records.indexOf(Number(fetchedOffset)));
  return PartitionRecords.of(
    messages.map(({ offset, timestamp, key, value, headers }) => ({
      offset: Number(offset),
      appendMs: Number(timestamp),
      key,
      value,
      headers: writableHeaders(headers),
    })),
  );
}

/** Whether they are to be indexed: somebody asked, and kafkajs would leave none of them out. */
export function wantsIndex(bytes: Buffer): boolean {
  if (asked.getStore() !== true) return false;
  for (const { attributes } of batchesIn(bytes)) {
    if ((attributes & (TRANSACTIONAL | CONTROL)) !== 0) return false;
  }
  return true;
}

/** Stands for all records of a partition in a fetch. kafkajs goes by its offset, that of the last one. */
interface RecordsMessage extends FetchedRecord {
  readonly records: PartitionRecords;
}

export async function indexBatches(bytes: Buffer): Promise<RecordsMessage[]> {
  let [expected, lastAt] = [0, 0];
  for (const { count } of batchesIn(bytes)) expected += count;
  const index = new RecordIndex(expected);
  for (const batch of batchesIn(bytes)) {
    if (batch.count <= 0) continue;
    lastAt = batch.at;
    const facts = factsOf(bytes, batch);
    const codec = codecOf(batch);
    if (codec === null) {
      index.add(bytes, lastAt + HEAD_BYTES, batch.end, facts);
    } else {
      const plain = await codec.decompress(bytes.subarray(lastAt + HEAD_BYTES, batch.end));
      index.add(plain, 0, plain.length, facts);
    }
  }
  const records = new PartitionRecords(index.take());
  if (records.length === 0) return [];
  const last = records.length - 1;
  const message: RecordsMessage = {
    magicByte: MAGIC,
    attributes: 0,
    timestamp: String(records.appendMs(last)),
    offset: String(records.offset(last)),
    key: null,
    value: null,
    headers: NO_HEADERS,
    isControlRecord: false,
    batchContext: readContext(bytes, lastAt),
    records,
  };
  return [message];
}
