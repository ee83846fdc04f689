import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemorySink, type MemorySinkMode } from './adapters/memory-sink.ts';
import type { StreamPosition } from './core/line-splitter.ts';
import { fixture, hastyClock, lines, newSpool, withoutRepeats } from './testing/pipeline-fixture.ts';

const LINES = 60;
const TEXT = lines(1, LINES);

/** A run is stopped after so many sends, of so many records each, with answers that are lost now and then. */
const runs = fc.array(
  fc.record({
    sends: fc.integer({ min: 1, max: 6 }),
    records: fc.integer({ min: 1, max: 9 }),
    modes: fc.array(fc.constantFrom<MemorySinkMode>('takes', 'takes and fails'), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  { maxLength: 4 },
);

describe('a file that is produced in several runs', () => {
  it('comes out whole, once, and in order, wherever the runs were stopped', async () => {
    await fc.assert(
      fc.asyncProperty(runs, fc.integer({ min: 20_000, max: 60_000 }), async (stops, maxBytes) => {
        const spool = newSpool(maxBytes);
        const sink = new MemorySink();
        const start = (): StreamPosition =>
          JSON.parse(spool.cursor('memory') ?? '{"offset":0,"line":0}') as StreamPosition;
        for (const { sends, records, modes } of stops) {
          const source = { replayable: true, start: start() };
          const { pipeline } = fixture({ chunks: [TEXT], source, spool, sink, maxBytes, clock: hastyClock });
          sink.maxRecords = records;
          const send = MemorySink.prototype.send.bind(sink);
          let count = 0;
          sink.send = (batch) => {
            sink.mode = modes[count++ % modes.length] ?? 'takes';
            if (count >= sends) pipeline.stop();
            return send(batch);
          };
          const { recordsLeftInSpool } = await pipeline.run();
          if (recordsLeftInSpool === 0 && spool.cursor('memory') === undefined) {
            expectWhole(sink);
            return;
          }
        }
        sink.mode = 'takes';
        const last = new MemorySink();
        const source = { replayable: true, start: start() };
        await fixture({
          chunks: [TEXT],
          source,
          spool,
          sink: last,
          maxBytes,
          clock: hastyClock,
        }).pipeline.run();
        sink.records.push(...last.records);
        expectWhole(sink);
      }),
      { numRuns: 100 },
    );
  });
});

function expectWhole(sink: MemorySink): void {
  const { produced } = fixture({ chunks: [], sink });
  const seen = withoutRepeats(produced());
  expect(seen.map(({ message }) => message)).toEqual(
    Array.from({ length: LINES }, (_, index) => String(index + 1)),
  );
  expect(seen.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: LINES }, (_, index) => index + 1),
  );
}
