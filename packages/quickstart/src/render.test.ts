import { makeAlert, type Throttle } from '@alert-throttle/alert';
import { describe, expect, it } from 'vitest';
import { NoticeFeed } from './notices.ts';
import { clock, noticeBlock, noticeLine, renderTable, shorten, statusLine } from './render.ts';
import { applyRecord, emptyView, type Notice, type ViewState, type ViewTopic } from './view-model.ts';

const START = 1_769_151_731_000_000;
const NOW_MS = START / 1000;

const throttle: Throttle = {
  IntervalStartMicros: START,
  IntervalEndMicros: START + 30_000_000,
  DroppedAlerts: 1,
  LimitsVersion: 'on-10-30',
  Profile: 'default',
  Late: false,
  EndedBy: '',
  Trigger: null,
  DroppedByPolicy: [],
  DroppedByOperation: [],
  FirstDropped: null,
  LastDropped: null,
  FirstDroppedMicros: 0,
  LastDroppedMicros: 0,
  LostAlerts: 0,
  Scope: '',
  Containers: 0,
};

const identity = {
  ContainerID: 'a4e3d52aeda8',
  NamespaceName: 'wordpress-mysql',
  PodName: 'wordpress-586468bf4f-8bf6x',
  ContainerName: 'wordpress',
};

const crossed = makeAlert({
  ...identity,
  Type: 'SystemEvent',
  Operation: 'AlertThreshold',
  MaxAlertsPerSec: 10,
  DroppingAlertsInterval: 30,
  Throttle: throttle,
});

function ended(more: Partial<Throttle>): Notice {
  const alert = makeAlert({
    ...crossed,
    Operation: 'AlertThresholdEnded',
    Throttle: { ...throttle, ...more },
  });
  return { kind: 'ended', alert };
}

/** The flooding container with an open interval, and `more` quiet ones. */
function flooded(more = 0): ViewState {
  const state = emptyView();
  let offset = 0;
  const put = (topic: ViewTopic, alert: ReturnType<typeof makeAlert>): void => {
    applyRecord(state, { topic, partition: 0, offset: offset++, timestampMs: NOW_MS, key: '', alert });
  };
  for (let index = 0; index < 50; index++) {
    const alert = makeAlert({
      ...identity,
      BootID: 'b',
      Sequence: index + 1,
      Operation: 'File',
      Resource: '/etc/passwd',
    });
    put('raw', alert);
    if (index < 10) put('throttled', alert);
  }
  put('throttled', crossed);
  for (let index = 0; index < more; index++)
    put('raw', makeAlert({ ContainerID: `quiet-${index}`, Operation: 'File' }));
  return state;
}

describe('the table', () => {
  it('shows who is throttled until when, and for how long still', () => {
    const table = renderTable(flooded(), { nowMs: NOW_MS + 12_400, width: 140, maxRows: 5 });
    const row = table.split('\n').find((line) => line.includes('wordpress-mysql')) ?? '';
    const cells = row.split('│').map((cell) => cell.trim());
    expect(cells[1]).toMatch(/^wordpress-mysql.*wordpress$/);
    expect(cells.slice(2, -1)).toEqual([
      '50',
      '10',
      '40',
      `${clock(NOW_MS + 30_000)} (18 s)`,
      'File /etc/passwd',
    ]);
  });

  it('says when the report is due once the interval is over', () => {
    const options = { width: 140, maxRows: 5 };
    const state = flooded();
    expect(renderTable(state, { ...options, nowMs: NOW_MS + 30_000 })).toContain('report is due');
    const row = state.rows.get('a4e3d52aeda8');
    if (row?.interval) row.interval.dueMicros += 5_000_000;
    expect(renderTable(state, { ...options, nowMs: NOW_MS + 31_000 })).toContain('report in 4 s');
  });

  it.each([60, 80, 100, 120, 200])('fits into a terminal of %d columns', (width) => {
    const lines = renderTable(flooded(3), { nowMs: NOW_MS, width, maxRows: 10 }).split('\n');
    // Below 80 columns the numbers need more room than there is.
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(Math.max(width, 80));
  });

  it('shows so many containers, and says how many more there are', () => {
    const table = renderTable(flooded(30), { nowMs: NOW_MS, width: 120, maxRows: 5 });
    expect(table.split('\n').filter((line) => line.includes('quiet-'))).toHaveLength(4);
    expect(table).toContain('and 26 more containers');
  });
});

describe('the status line', () => {
  it('counts down to the next report', () => {
    expect(statusLine(flooded(), 'waitingForReports', NOW_MS + 10_000)).toBe(
      '1 container, 50 seen, 10 passed, 40 dropped; everything came through; 1 interval is open, the next report in 20 s',
    );
  });

  it('says so when a report is late', () => {
    expect(statusLine(flooded(), 'waitingForReports', NOW_MS + 40_000)).toContain('its report is due now');
  });
});

describe('an event', () => {
  it('is a block of the lines that KubeArmor users know', () => {
    const block = noticeBlock({ kind: 'threshold', alert: crossed });
    expect(block).toContain('    Operation: AlertThreshold\n');
    expect(block).toContain('    MaxAlertsPerSec: 10\n');
    expect(block).toContain('    PPID: 0\n');
  });

  it('fits into a line', () => {
    expect(noticeLine({ kind: 'threshold', alert: crossed })).toBe(
      'AlertThreshold: wordpress-mysql/wordpress-586468bf4f-8bf6x/wordpress crossed 10 alerts per second, silent for 30 s',
    );
    const byPolicy = [
      { Name: 'ksp-a', Alerts: 190 },
      { Name: '', Alerts: 10 },
    ];
    expect(noticeLine(ended({ DroppedAlerts: 200, DroppedByPolicy: byPolicy }))).toContain(
      '200 alerts dropped: 190 by ksp-a, 10 by no policy',
    );
    expect(noticeLine(ended({ Late: true }))).toContain('1 late alert dropped');
  });

  it('is counted where there are too many to be shown', () => {
    const feed = new NoticeFeed();
    for (let index = 0; index < 100; index++) feed.add({ kind: 'threshold', alert: crossed });
    const first = feed.take();
    expect(first).toHaveLength(21);
    expect(first.at(-1)).toBe('... and 80 more events');
    feed.add({ kind: 'threshold', alert: crossed });
    expect(feed.take()).toEqual([noticeLine({ kind: 'threshold', alert: crossed })]);
    expect(feed.take()).toEqual([]);
  });
});

describe('a long name', () => {
  it('keeps both ends', () => {
    expect(shorten('wordpress-mysql/wordpress-586468bf4f-8bf6x', 20)).toBe('wordpres…8bf4f-8bf6x');
    expect(shorten('wordpress-mysql/wordpress-586468bf4f-8bf6x', 20)).toHaveLength(20);
    expect(shorten('short', 20)).toBe('short');
  });
});
