// The kernel's records through the pipeline, with a spool and a broker in memory: what is stored is released, what finds
// no room is counted once and announced.
import { makeAlert } from '@alert-throttle/alert';
import { describe, expect, it } from 'vitest';
import { alertEncoder, alertRecord, decodeVersion, newestVersion } from '../adapters/alert-schemas.ts';
import { MemorySink } from '../adapters/memory-sink.ts';
import { systemClock } from '../adapters/system-clock.ts';
import { fieldTable } from '../core/alert-fields.ts';
import { ProducerError } from '../errors.ts';
import { Pipeline } from '../pipeline.ts';
import { newSpool, NODE_ID, until } from '../testing/pipeline-fixture.ts';
import { RingLedger } from './core/ring-ledger.ts';
import { RecordQueue } from './record-queue.ts';

const quiet = () => undefined;

function newQueue(): { queue: RecordQueue; ledger: RingLedger } {
  const ledger = new RingLedger('boot', { stored: undefined, numbers: { enforcement: 0, audit: 0 } });
  return { queue: new RecordQueue(ledger), ledger };
}

function pipelineOf(queue: RecordQueue, spool: ReturnType<typeof newSpool>, sink: MemorySink): Pipeline {
  return new Pipeline({
    source: queue,
    spool,
    sink,
    encoder: alertEncoder,
    mapContext: { fields: fieldTable(alertRecord), nodeId: NODE_ID, nowMicros: systemClock.nowMicros },
    settings: {
      spoolFull: 'drop',
      spoolFullWaitMs: 0,
      spoolMaxBytes: () => 1024 * 1024,
      commitMs: 1,
      commitRecords: 5,
      commitBytes: () => 64 * 1024,
    },
    clock: systemClock,
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    observer: {
      read: quiet,
      deadLetter: quiet,
      produced: quiet,
      lost: quiet,
      sent: quiet,
      sendFailed: quiet,
    },
    shutdownMs: 1_000,
  });
}

function alert(message: string, more: Parameters<typeof makeAlert>[0] = {}) {
  return makeAlert({ ContainerID: 'c', Type: 'MatchedPolicy', Operation: 'File', Message: message, ...more });
}

describe('records of the kernel', () => {
  it('are numbered and produced in order, tombstones too, and their batch is released once they are stored', async () => {
    const { queue, ledger } = newQueue();
    const spool = newSpool();
    const sink = new MemorySink();
    const running = pipelineOf(queue, spool, sink).run();
    let released = 0;
    for (let number = 1; number <= 12; number++) {
      ledger.admit('audit', number);
      queue.alert(alert(String(number)));
    }
    queue.tombstone('c', NODE_ID);
    queue.releaseWhenStored(() => (released += 1));
    await until(() => released === 1);
    expect(queue.isHeldUp).toBe(false);
    expect(JSON.parse(spool.cursor('kernel') ?? '')).toMatchObject({
      enforcement: 0,
      audit: 12,
      waiting: [],
    });
    await queue.close();
    const totals = await running;
    expect(totals).toMatchObject({ linesRead: 0, alertsRead: 12, alertsProduced: 12, tombstonesProduced: 1 });
    const decoded = sink.records.map(({ kind, value }) =>
      kind === 'tombstone' ? 'gone' : decodeVersion(Buffer.from(value ?? []), newestVersion).Message,
    );
    expect(decoded).toEqual([...Array.from({ length: 12 }, (_, index) => String(index + 1)), 'gone']);
  });

  it('that find no room are announced with those whose loss they were to announce', async () => {
    const { queue } = newQueue();
    const spool = newSpool(4_000);
    const sink = new MemorySink();
    sink.connect = () => Promise.reject(new ProducerError('SEND_FAILED', 'away'));
    const pipeline = pipelineOf(queue, spool, sink);
    const running = pipeline.run();
    const large = 'x'.repeat(3_000);
    queue.alert(alert(large));
    await until(() => spool.usage().records === 1);
    let released = 0;
    queue.alert(alert(large));
    const Lost = { LostAlerts: 40, First: 1, Last: 2, Counter: 'EventTimeMicros', Reason: 'audit ring full' };
    queue.alert(alert('', { Operation: 'AlertsLost', Lost }));
    queue.releaseWhenStored(() => (released += 1));
    await until(() => released === 1);
    expect(spool.loss).toMatchObject({ first: 2, last: 3, reason: 'spool full', more: 40 });
    pipeline.stop();
    await running;
  });
});
