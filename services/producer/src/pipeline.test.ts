import { describe, expect, it } from 'vitest';
import { MemorySink } from './adapters/memory-sink.ts';
import { SPOOL_FULL_POLICIES } from './intake.ts';
import {
  fixture,
  hastyClock,
  line,
  lines,
  newSpool,
  PushedChunks,
  until,
  withoutRepeats,
  type Produced,
} from './testing/pipeline-fixture.ts';

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const sequences = (records: readonly Produced[]): (number | undefined)[] =>
  records.map(({ sequence }) => sequence);
const messages = (records: readonly Produced[]): string[] => records.map(({ message }) => message);

describe('a run', () => {
  it('produces every line in order, and counts', async () => {
    const { pipeline, produced, spool } = fixture({ chunks: [lines(1, 12), lines(13, 8)] });
    const totals = await pipeline.run();
    expect(messages(produced())).toEqual(numbers(1, 20).map(String));
    expect(sequences(produced())).toEqual(numbers(1, 20));
    expect(totals).toMatchObject({
      linesRead: 20,
      alertsRead: 20,
      alertsProduced: 20,
      recordsLeftInSpool: 0,
    });
    expect(spool.usage().records).toBe(0);
  });

  it('ends at once where there is nothing', async () => {
    const { pipeline, produced } = fixture({
      chunks: [],
      sink: Object.assign(new MemorySink(), { mode: 'refuses' }),
    });
    expect(await pipeline.run()).toMatchObject({ linesRead: 0, alertsProduced: 0 });
    expect(produced()).toEqual([]);
  });

  it('tells tombstones, dead letters and unknown fields apart', async () => {
    const tombstone = '{"Operation":"ContainerDeleted","ContainerID":"abc"}\n';
    const odd = '{"Type":"MatchedPolicy","Operation":"File","Color":"red"}\n';
    const { pipeline, produced, log } = fixture({ chunks: [line('a'), tombstone, '\n{broken}\n', odd] });
    expect(await pipeline.run()).toMatchObject({
      linesRead: 4,
      alertsRead: 2,
      alertsProduced: 2,
      tombstonesProduced: 1,
      deadLettersProduced: 1,
      unknownFieldsKept: 1,
      guessedTimes: 1,
    });
    expect(produced().map(({ kind }) => kind)).toEqual(['alert', 'tombstone', 'deadLetter', 'alert']);
    expect(sequences(produced())).toEqual([1, 2, undefined, 3]);
    const warnings = log.filter(({ level }) => level === 'warn');
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatchObject({ fields: { source: 'memory', line: 4, reason: 'invalid-json' } });
  });

  it('writes a few log lines for a flood of dead letters, and counts all', async () => {
    const { pipeline, log } = fixture({ chunks: ['no alert\n'.repeat(500)] });
    expect(await pipeline.run()).toMatchObject({ linesRead: 500, deadLettersProduced: 500 });
    expect(log.filter(({ message }) => message.includes('dead letter, '))).toHaveLength(10);
    expect(log.filter(({ fields }) => fields['deadLetters'] === 490)).toHaveLength(1);
  });

  it('stores what a slow stream brings without waiting for more', async () => {
    const chunks = new PushedChunks();
    const { pipeline, produced } = fixture({ chunks });
    const run = pipeline.run();
    chunks.push(lines(1, 1));
    await until(() => produced().length === 1);
    chunks.push(lines(2, 1));
    await until(() => produced().length === 2);
    chunks.end();
    expect(await run).toMatchObject({ alertsProduced: 2 });
  });
});

describe('a broker in trouble', () => {
  it('gets everything in order once it takes records', async () => {
    const { pipeline, produced, sink, log } = fixture({ chunks: [lines(1, 20)] });
    sink.mode = 'refuses';
    const run = pipeline.run();
    await until(() => log.some(({ message }) => message.includes('refused')));
    expect(pipeline.state).toMatchObject({ connected: false, trouble: 'memory: refused' });
    sink.mode = 'takes';
    expect(await run).toMatchObject({ alertsProduced: 20 });
    expect(sequences(produced())).toEqual(numbers(1, 20));
    expect(log.filter(({ message }) => message.includes('takes records again'))).toHaveLength(1);
    expect(pipeline.state).toMatchObject({ connected: true, trouble: undefined });
  });

  it('gets a batch again whose answer was lost, and never a later one before it', async () => {
    const { pipeline, produced, sink } = fixture({ chunks: [lines(1, 40)] });
    sink.maxRecords = 7;
    sink.mode = 'takes and fails';
    const run = pipeline.run();
    await until(() => produced().length >= 14);
    sink.mode = 'takes';
    await run;
    expect(produced().length).toBeGreaterThan(40);
    expect(sequences(withoutRepeats(produced()))).toEqual(numbers(1, 40));
  });

  it('is called silent when it does not answer', async () => {
    const sink = new MemorySink();
    const { pipeline, produced, log } = fixture({ chunks: [lines(1, 3)], sink, clock: hastyClock });
    const silence = new Promise<void>((resolve) => {
      sink.connect = () =>
        until(() => log.some(({ message }) => message.includes('has not answered'))).then(resolve);
    });
    const run = pipeline.run();
    await silence;
    expect(await run).toMatchObject({ alertsProduced: 3 });
    expect(produced()).toHaveLength(3);
    expect(pipeline.state).toMatchObject({ connected: true, trouble: undefined });
  });

  it('stops the run where the failure will not pass', async () => {
    const sink = new MemorySink();
    sink.send = () => Promise.reject(new TypeError('a bug'));
    await expect(fixture({ chunks: [lines(1, 3)], sink }).pipeline.run()).rejects.toThrow('a bug');
  });
});

describe('a full spool', () => {
  it.each([
    ['wait', false],
    ['wait', true],
    ['auto', true],
  ] as const)('makes the source wait: %s, replayable %s', async (spoolFull, replayable) => {
    const maxBytes = 20_000;
    const { pipeline, produced, sink, log } = fixture({
      chunks: [lines(1, 200)],
      maxBytes,
      source: { replayable },
      settings: { spoolFull, spoolFullWaitMs: 0 },
    });
    sink.mode = 'refuses';
    const run = pipeline.run();
    await until(() => log.some(({ message }) => message.includes('spool full')));
    expect(pipeline.state.spoolFull).toBe(true);
    sink.mode = 'takes';
    expect(await run).toMatchObject({ alertsProduced: 200, alertsLost: 0 });
    expect(sequences(produced())).toEqual(numbers(1, 200));
    expect(log.filter(({ message }) => message.startsWith('spool full'))).toHaveLength(1);
  });

  it('makes a stream wait while the broker acknowledges', async () => {
    const { pipeline, produced } = fixture({
      chunks: [lines(1, 500)],
      maxBytes: 20_000,
      settings: { spoolFull: 'auto', spoolFullWaitMs: 60_000 },
    });
    expect(await pipeline.run()).toMatchObject({ alertsProduced: 500, alertsLost: 0 });
    expect(sequences(produced())).toEqual(numbers(1, 500));
  });

  it.each(['drop', 'auto'] as const)(
    'loses alerts of a stream (%s), and says exactly which',
    async (spoolFull) => {
      const chunks = new PushedChunks();
      const { pipeline, produced, sink, log, spool } = fixture({
        chunks,
        maxBytes: 20_000,
        // So small that what is left of a full spool is less than must be free after a loss.
        settings: { spoolFull, spoolFullWaitMs: 0, commitRecords: 2 },
      });
      sink.mode = 'refuses';
      const run = pipeline.run();
      chunks.push(lines(1, 200));
      await until(() => spool.nextSequence === 201);
      expect(pipeline.state.spoolFull).toBe(true);
      const kept = spool.usage().records;
      sink.mode = 'takes';
      await until(() => produced().length === kept + 1);
      chunks.push(lines(201, 10));
      chunks.end();
      const totals = await run;

      const lost = 200 - kept;
      expect(kept).toBeGreaterThan(0);
      expect(lost).toBeGreaterThan(0);
      expect(totals).toMatchObject({ linesRead: 210, alertsProduced: 210 - lost, alertsLost: lost });
      expect(produced()[kept]).toEqual({
        kind: 'alertsLost',
        sequence: 201,
        message: '',
        lost: { LostAlerts: lost, First: kept + 1, Last: 200, Counter: 'sequence', Reason: 'spool full' },
      });
      expect(sequences(produced())).toEqual([...numbers(1, kept), ...numbers(201, 211)]);
      expect(messages(produced()).slice(kept + 1)).toEqual(numbers(201, 210).map(String));
      expect(log.some(({ fields }) => fields['alerts'] === lost && fields['first'] === kept + 1)).toBe(true);
    },
  );

  it('announces a loss at the end of the stream, too', async () => {
    const { pipeline, produced, sink, spool } = fixture({
      chunks: [lines(1, 200)],
      maxBytes: 20_000,
      settings: { spoolFull: 'drop', commitRecords: 2 },
    });
    sink.mode = 'refuses';
    const run = pipeline.run();
    await until(() => spool.nextSequence === 201);
    sink.mode = 'takes';
    const { alertsLost } = await run;
    expect(produced().at(-1)).toMatchObject({
      kind: 'alertsLost',
      lost: { LostAlerts: alertsLost, Last: 200 },
    });
  });

  it('announces a loss of an earlier run before anything else', async () => {
    const spool = newSpool();
    const loss = { first: 3, last: 8, reason: 'disk full' } as const;
    spool.append({ records: [], nextSequence: 9, loss, cursor: undefined });
    const { pipeline, produced } = fixture({ chunks: [lines(1, 2)], spool });
    await pipeline.run();
    expect(produced()).toMatchObject([
      { kind: 'alertsLost', sequence: 9, lost: { LostAlerts: 6, First: 3, Last: 8, Reason: 'disk full' } },
      { kind: 'alert', sequence: 10 },
      { kind: 'alert', sequence: 11 },
    ]);
  });

  it('counts dead letters that are lost, without a number for them', async () => {
    const { pipeline, sink, spool, produced } = fixture({
      chunks: [`${'x'.repeat(9_000)}\n`.repeat(10), line('a')],
      maxBytes: 20_000,
      settings: { spoolFull: 'drop', commitRecords: 1 },
    });
    sink.mode = 'refuses';
    const run = pipeline.run();
    await until(() => spool.nextSequence === 2);
    sink.mode = 'takes';
    const totals = await run;
    expect(totals.deadLettersLost).toBeGreaterThan(0);
    expect(totals.deadLettersLost + totals.deadLettersProduced).toBe(10);
    expect(produced().filter(({ kind }) => kind === 'alertsLost').length).toBe(totals.alertsLost);
  });

  it('knows its policies', () => {
    expect(SPOOL_FULL_POLICIES).toEqual(['auto', 'wait', 'drop']);
  });
});

describe('a stop', () => {
  it('leaves in the spool what could not be sent, and the next run sends it first', async () => {
    const first = fixture({ chunks: [lines(1, 10)], source: { replayable: true } });
    first.sink.mode = 'refuses';
    const run = first.pipeline.run();
    await until(() => first.spool.usage().records === 10);
    first.pipeline.stop();
    expect(await run).toMatchObject({ alertsProduced: 0, recordsLeftInSpool: 10 });

    const second = fixture({ chunks: [lines(11, 2)], spool: first.spool });
    expect(await second.pipeline.run()).toMatchObject({ alertsProduced: 12, recordsFromEarlierRun: 10 });
    expect(messages(second.produced())).toEqual(numbers(1, 12).map(String));
  });

  it('sends what is in the spool, if there is time for it', async () => {
    const chunks = new PushedChunks();
    const { pipeline, produced } = fixture({ chunks, shutdownMs: 60_000 });
    const run = pipeline.run();
    chunks.push(lines(1, 33));
    await until(() => produced().length > 0);
    pipeline.stop();
    expect(await run).toMatchObject({ alertsProduced: 33, recordsLeftInSpool: 0 });
  });

  it('remembers where a file was left, and forgets it once the file is done', async () => {
    const text = lines(1, 50);
    const first = fixture({ chunks: [text], source: { replayable: true }, maxBytes: 20_000 });
    first.sink.mode = 'refuses';
    const run = first.pipeline.run();
    await until(() => first.pipeline.state.spoolFull);
    first.pipeline.stop();
    await run;
    const start = JSON.parse(first.spool.cursor('memory') ?? '') as { offset: number; line: number };
    expect(start.line).toBe(first.spool.usage().records);
    expect(start.line).toBeLessThan(50);

    const source = { replayable: true, start };
    const second = fixture({ chunks: [text], source, spool: first.spool, maxBytes: 20_000 });
    await second.pipeline.run();
    expect(messages(second.produced())).toEqual(numbers(1, 50).map(String));
    expect(sequences(second.produced())).toEqual(numbers(1, 50));
    expect(second.spool.cursor('memory')).toBeUndefined();
  });
});
