// Stands between the throttler and its clients and passes the points of a fault, each where the production code
// awaits something.

import type { ChainableCommander, Redis } from 'ioredis';
import type { Producer, Transaction } from 'kafkajs';

import type { Interposed } from '../interposed.ts';
import type { PartitionTransactions } from '../ports.ts';
import type { FaultTrigger } from './fault.ts';

export function interposedBy(trigger: FaultTrigger): Interposed {
  const { transactionTimeoutMs } = trigger.fault;
  return {
    producers: (kafka) => ({
      producer: (config) => {
        const timeout =
          transactionTimeoutMs === undefined ? {} : { transactionTimeout: transactionTimeoutMs };
        return faultyProducer(kafka.producer({ ...config, ...timeout }), trigger);
      },
    }),
    transactions: (transactions) => faultyTransactions(transactions, trigger),
    redis: (redis) => faultyRedis(redis, trigger),
    facts: (facts) => ({
      committed: async (partition) => {
        const committed = await facts.committed(partition);
        trigger.at('offset-read');
        return committed;
      },
      groupHasCommits: () => facts.groupHasCommits(),
      bounds: (partition) => facts.bounds(partition),
      throttledTopicIsEmpty: () => facts.throttledTopicIsEmpty(),
      topicProblems: () => facts.topicProblems(),
    }),
    listener: (listener) => ({
      assigned: (partitions) => listener.assigned(partitions),
      lost: () => listener.lost(),
      batch: async (partition, batch) => {
        trigger.at('fetched');
        await listener.batch(partition, batch);
      },
      skipped: (partition, start, end) => listener.skipped(partition, start, end),
    }),
  };
}

function faultyTransactions(inner: PartitionTransactions, trigger: FaultTrigger): PartitionTransactions {
  return {
    fence: async () => {
      trigger.at('assigned');
      await inner.fence();
      trigger.at('fenced');
    },
    commit: (outputs, position) =>
      trigger.watch(async () => {
        if (outputs.length > 0) trigger.at('folded');
        await inner.commit(outputs, position);
        if (outputs.length > 0) trigger.at('committed');
      }),
    close: () => inner.close(),
  };
}

function faultyProducer(producer: Producer, trigger: FaultTrigger): Producer {
  return { ...producer, transaction: async () => faultyTransaction(await producer.transaction(), trigger) };
}

/** Transactions without outputs (limits, offsets) pass no point: there is nothing in them to be doubled. */
function faultyTransaction(transaction: Transaction, trigger: FaultTrigger): Transaction {
  let sends = 0;
  return {
    ...transaction,
    send: (record) => {
      sends += 1;
      if (sends === 2) trigger.at('first-sent');
      return trigger.during('sending', transaction.send(record));
    },
    sendOffsets: async (offsets) => {
      if (sends > 0) trigger.at('all-sent');
      await transaction.sendOffsets(offsets);
      if (sends > 0) trigger.at('offsets-sent');
    },
    commit: () => {
      const committing = transaction.commit();
      return sends > 0 ? trigger.during('committing', committing) : committing;
    },
  };
}

type Args = readonly unknown[];

/** Knows which of the store's commands is which: HSCAN loads, EVAL updates, a pipeline builds, `eval` swaps. */
function faultyRedis(redis: Redis, trigger: FaultTrigger): Redis {
  const steps: Readonly<Record<string, (...args: Args) => unknown>> = {
    call: async (command, ...args) => {
      if (command === 'EVAL') trigger.at('update-ready');
      const answer = applied(redis, 'call', [command, ...args]) as Promise<unknown>;
      if (command !== 'EVAL') return answer;
      const updated = await trigger.during('updating', answer);
      trigger.at('updated');
      return updated;
    },
    hscan: async (...args) => {
      const slice = await (applied(redis, 'hscan', args) as Promise<unknown>);
      trigger.at('checkpoint-loaded');
      return slice;
    },
    pipeline: () => recordedPipeline(redis, trigger),
    eval: async (...args) => {
      trigger.at('built');
      const swapped = await trigger.during('swapping', applied(redis, 'eval', args) as Promise<unknown>);
      trigger.at('replaced');
      return swapped;
    },
  };
  return new Proxy(redis, {
    get: (target, name) => steps[String(name)] ?? (Reflect.get(target, name) as unknown),
  });
}

/** Sends nothing before `exec`, so that it can send the first half alone. */
function recordedPipeline(redis: Redis, trigger: FaultTrigger): ChainableCommander {
  const commands: (readonly [name: string, args: Args])[] = [];
  const execute = (wanted: typeof commands): Promise<unknown> => {
    const pipeline = redis.pipeline();
    for (const [name, args] of wanted) applied(pipeline, name, args);
    return pipeline.exec();
  };
  const exec = async (): Promise<unknown> => {
    trigger.at('replace-ready');
    if (trigger.isDue('half-built')) {
      await execute(commands.slice(0, Math.ceil(commands.length / 2)));
      trigger.strike();
    }
    return execute(commands);
  };
  const recorder: ChainableCommander = new Proxy(redis.pipeline(), {
    get: (_, name) => {
      if (name === 'exec') return exec;
      return (...args: Args) => {
        commands.push([String(name), args]);
        return recorder;
      };
    },
  });
  return recorder;
}

function applied(target: object, name: string, args: Args): unknown {
  const method = Reflect.get(target, name) as (...args: Args) => unknown;
  return Reflect.apply(method, target, args);
}
