// Kafka's own errors: a transactional id that somebody else takes, and every step of a transaction answered with
// what a broker may say at a bad moment, before or after it has carried it out.

import { faultRounds, waitFor } from '@alert-throttle/test-kit';
import { afterAll, beforeAll, describe, test } from 'vitest';

import type { Fate } from '../testing/kafka-proxy.ts';
import type { ApiName, ErrorName } from '../testing/kafka-wire.ts';
import { ProxiedKafka } from '../testing/proxied-kafka.ts';
import { seedOf } from '../testing/random.ts';
import { type Load, underLoad } from '../testing/under-load.ts';

const OF_COORDINATORS: readonly ErrorName[] = [
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR',
  'INVALID_PRODUCER_EPOCH',
];

const REFUSED: Readonly<Partial<Record<ApiName, readonly ErrorName[]>>> = {
  addPartitionsToTxn: [...OF_COORDINATORS, 'PRODUCER_FENCED'],
  addOffsetsToTxn: OF_COORDINATORS,
  txnOffsetCommit: OF_COORDINATORS,
  endTxn: OF_COORDINATORS,
  produce: ['INVALID_PRODUCER_EPOCH', 'NOT_LEADER_OR_FOLLOWER', 'NOT_ENOUGH_REPLICAS', 'UNKNOWN_PRODUCER_ID'],
  initProducerId: ['CONCURRENT_TRANSACTIONS', 'NOT_COORDINATOR'],
};

/** What a broker may say although it has done what was asked. */
const CONTRADICTED: Readonly<Partial<Record<ApiName, readonly ErrorName[]>>> = {
  produce: ['REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  txnOffsetCommit: ['REQUEST_TIMED_OUT', 'COORDINATOR_NOT_AVAILABLE'],
  endTxn: ['COORDINATOR_NOT_AVAILABLE', 'CONCURRENT_TRANSACTIONS', 'INVALID_TXN_STATE'],
};

const FENCES = 8;

describe('given a broker that answers with errors', () => {
  let proxied: ProxiedKafka;

  beforeAll(async () => {
    proxied = await ProxiedKafka.start();
  });
  afterAll(() => proxied.close());

  /** The next `times` requests of that kind meet that fate. */
  async function meet(load: Load, api: ApiName, fate: Fate, times: number): Promise<void> {
    let left = times;
    proxied.proxy.judge = (request) => {
      if (left === 0) return 'passes';
      // A producer id is asked for at a claim only, so a claim must be lost.
      if (api === 'initProducerId' && request.api === 'endTxn') return 'lost';
      if (request.api !== api) return 'passes';
      left -= 1;
      return fate;
    };
    await waitFor(`${times} requests of ${api} to meet ${JSON.stringify(fate)}`, () => left === 0);
    await load.worked();
  }

  test('then nothing is lost and nothing is doubled', { timeout: 400_000 }, async () => {
    const { proxy, scenario, kafka } = proxied;
    await underLoad(scenario, seedOf('FAULT_SEED'), async (load) => {
      for (let round = 0; round < faultRounds(1); round++) {
        for (const [api, errors] of Object.entries(REFUSED) as [ApiName, ErrorName[]][]) {
          for (const refused of errors) {
            await meet(load, api, { refused }, 1 + Math.floor(load.random() * 3));
          }
        }
        for (const [api, errors] of Object.entries(CONTRADICTED) as [ApiName, ErrorName[]][]) {
          for (const contradicted of errors) await meet(load, api, { contradicted }, 1);
        }
      }
      load.faults += proxy.faults;
      // Somebody else takes the transactional id while a transaction is under way, most probably.
      for (let fence = 0; fence < faultRounds(FENCES); fence++) {
        const partition = fence % scenario.partitions;
        const transactionalId = `${scenario.group}/${scenario.topics.raw}/${partition}`;
        const other = kafka.client().producer({ transactionalId, maxInFlightRequests: 1 });
        await other.connect();
        await (await other.transaction()).abort();
        await other.disconnect();
        load.faults += 1;
        await load.worked();
      }
    });
  });
});
