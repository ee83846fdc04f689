import { makeAlert, type Alert, type Throttle } from '@alert-throttle/alert';
import { describe, expect, it } from 'vitest';
import { addsUp, droppedSoFar, mismatches, topRows, totalsOf } from './totals.ts';
import {
  applyRecord,
  emptyView,
  MAX_CONTAINERS,
  type Notice,
  type ViewState,
  type ViewTopic,
} from './view-model.ts';

const START = 1_769_151_731_000_000;
const T = 30_000_000;

function alert(fields: Partial<Alert> = {}): Alert {
  return makeAlert({
    ContainerID: 'c1',
    NodeID: 'n1',
    BootID: 'b1',
    Type: 'MatchedPolicy',
    Operation: 'File',
    Action: 'Audit',
    Resource: '/etc/passwd',
    NamespaceName: 'ns',
    PodName: 'pod',
    ContainerName: 'main',
    EventTimeMicros: START,
    ...fields,
  });
}

function event(operation: string, throttle: Partial<Throttle> = {}, fields: Partial<Alert> = {}): Alert {
  return alert({
    BootID: '',
    Type: 'SystemEvent',
    Operation: operation,
    Action: '',
    Resource: '',
    ...fields,
    Throttle: {
      IntervalStartMicros: START,
      IntervalEndMicros: START + T,
      DroppedAlerts: 1,
      LimitsVersion: '',
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
      ...throttle,
    },
  });
}

class Log {
  readonly state: ViewState = emptyView();
  #offset = 0;
  #sequence = 0;

  put(topic: ViewTopic, value: Alert | null | undefined, timestampMs = START / 1000): Notice | undefined {
    const record = { topic, partition: 0, offset: this.#offset++, timestampMs, key: 'c1', alert: value };
    return applyRecord(this.state, record);
  }

  /** Alerts of one container: `seen` on the raw topic, the first `passed` of them on the throttled one. */
  alerts(seen: number, passed: number, fields: Partial<Alert> = {}): void {
    for (let index = 0; index < seen; index++) {
      const one = alert({ Sequence: ++this.#sequence, ...fields });
      this.put('raw', one);
      if (index < passed) this.put('throttled', one);
    }
  }

  row(key = 'c1') {
    const row = this.state.rows.get(key);
    if (!row) throw new Error(`no row ${key}`);
    return row;
  }
}

describe('the view', () => {
  it('counts what is seen and what passed, whichever is read first', () => {
    const log = new Log();
    log.put('throttled', alert({ Sequence: 1 }));
    log.put('raw', alert({ Sequence: 1 }));
    log.put('raw', alert({ Sequence: 2, Resource: '/etc/shadow', EventTimeMicros: START + 5 }));
    expect(log.row()).toMatchObject({
      name: 'ns/pod/main',
      seen: 2,
      passed: 1,
      last: 'Audit File /etc/shadow',
      lastAtMicros: START + 5,
    });
  });

  it('takes an alert that is on its way for dropped only where an interval says so', () => {
    const log = new Log();
    log.alerts(3, 1);
    expect(droppedSoFar(log.row())).toBe(0);
    log.put('throttled', event('AlertThreshold'));
    expect(droppedSoFar(log.row())).toBe(2);
  });

  it('opens an interval at AlertThreshold and closes it at AlertThresholdEnded', () => {
    const log = new Log();
    log.alerts(5, 2);
    const opened = log.put('throttled', event('AlertThreshold'));
    expect(opened?.kind).toBe('threshold');
    expect(log.row().interval).toMatchObject({ startMicros: START, endMicros: START + T });
    expect(totalsOf(log.state)).toMatchObject({ open: 1, nextDueMicros: START + T });
    const closed = log.put(
      'throttled',
      event('AlertThresholdEnded', { DroppedAlerts: 3, EndedBy: 'expired' }),
    );
    expect(closed?.kind).toBe('ended');
    expect(log.row()).toMatchObject({ interval: undefined, reported: 3, thresholds: 1, passed: 2 });
    expect(addsUp(log.state)).toBe(true);
    expect(totalsOf(log.state)).toMatchObject({
      seen: 5,
      passed: 2,
      reported: 3,
      open: 0,
      lastDueMicros: undefined,
    });
  });

  it('moves the time of the report with every alert of the interval, as much as is left of it', () => {
    const log = new Log();
    log.put('throttled', event('AlertThreshold'));
    log.put('raw', alert({ Sequence: 1, EventTimeMicros: START + 10_000_000 }), (START + 25_000_000) / 1000);
    expect(log.row().interval?.dueMicros).toBe(START + 45_000_000);
    log.put('raw', alert({ Sequence: 2, EventTimeMicros: START + T }), (START + 50_000_000) / 1000);
    expect(log.row().interval?.dueMicros).toBe(START + 45_000_000);
  });

  it('adds a late report to the count', () => {
    const log = new Log();
    log.alerts(5, 2);
    log.put('throttled', event('AlertThreshold'));
    log.put('throttled', event('AlertThresholdEnded', { DroppedAlerts: 2 }));
    expect(mismatches(log.state)).toEqual(['ns/pod/main: 5 seen, 2 passed, but 2 reported as dropped']);
    log.put('throttled', event('AlertThresholdEnded', { DroppedAlerts: 1, Late: true }));
    expect(mismatches(log.state)).toEqual([]);
    expect(addsUp(log.state)).toBe(true);
  });

  it('names an interval of before this run as the reason where the counts do not add up', () => {
    const log = new Log();
    log.alerts(5, 2);
    log.put('throttled', event('AlertThresholdEnded', { DroppedAlerts: 9, IntervalStartMicros: START - 1 }));
    expect(mismatches(log.state)[0]).toContain('began before this run');
  });

  it('leaves out the end of an interval of a container that does not take part', () => {
    const log = new Log();
    expect(log.put('throttled', event('AlertThresholdEnded', { DroppedAlerts: 9 }))).toBeUndefined();
    expect(log.state.rows.size).toBe(0);
  });

  it('counts an alert that lies on the raw topic twice once', () => {
    const log = new Log();
    log.put('raw', alert({ Sequence: 1 }));
    log.put('raw', alert({ Sequence: 2 }));
    log.put('raw', alert({ Sequence: 1 }));
    log.put('raw', alert({ Sequence: 2 }));
    log.put('raw', alert({ Sequence: 1, BootID: 'b2' }));
    expect(log.row().seen).toBe(3);
    expect(log.state.repeats).toBe(2);
  });

  it('marks a deleted container, until it speaks again', () => {
    const log = new Log();
    log.alerts(1, 1);
    log.put('raw', null);
    log.put('throttled', null);
    expect(log.row().deleted).toBe(true);
    expect(log.state.tombstones).toBe(1);
    log.alerts(1, 1);
    expect(log.row()).toMatchObject({ deleted: false, seen: 2, passed: 2 });
  });

  it('counts dead letters and what it cannot read, and nothing else of them', () => {
    const log = new Log();
    log.put('raw', undefined);
    log.put('throttled', undefined);
    log.put('deadLetter', undefined);
    expect(log.state).toMatchObject({ unreadable: 1, deadLetters: 1 });
    expect(log.state.rows.size).toBe(0);
  });

  it('takes an AlertThreshold of the kernel for the alert that it is', () => {
    const log = new Log();
    const kernel = event('AlertThreshold', {}, { Sequence: 7, BootID: 'b1', Enforcer: 'BPFLSM' });
    log.put('raw', kernel);
    expect(log.put('throttled', kernel)).toBeUndefined();
    expect(log.row()).toMatchObject({ seen: 1, passed: 1, thresholds: 0, interval: undefined });
  });

  it('announces lost alerts, whoever lost them', () => {
    const log = new Log();
    const lost = { LostAlerts: 4, First: 1, Last: 4, Counter: 'offset', Reason: 'gone' };
    expect(log.put('throttled', alert({ Operation: 'AlertsLost', BootID: '', Lost: lost }))?.kind).toBe(
      'lost',
    );
    expect(log.state.rows.size).toBe(0);
    expect(log.put('throttled', alert({ Operation: 'AlertsLost', Sequence: 9, Lost: lost }))?.kind).toBe(
      'lost',
    );
    expect(log.row().passed).toBe(1);
  });

  it('calls a container by its id until an alert says its name', () => {
    const log = new Log();
    const nameless = { NamespaceName: '', PodName: '', ContainerName: '' };
    log.alerts(1, 0, nameless);
    expect(log.row().name).toBe('c1');
    log.alerts(1, 0);
    log.alerts(1, 0, nameless);
    expect(log.row().name).toBe('ns/pod/main');
  });

  it('calls a host by its name', () => {
    const log = new Log();
    log.put('raw', alert({ ContainerID: '', HostName: 'worker-1', Sequence: 1 }));
    expect(log.row('host:n1').name).toBe('host worker-1');
  });

  it('lets no control character of a container through to the terminal', () => {
    const log = new Log();
    log.put('raw', alert({ PodName: 'a\u001b[2Jb', Resource: '/tmp/x\n\u202ey', Sequence: 1 }));
    expect(log.row()).toMatchObject({ name: 'ns/a·[2Jb/main', last: 'Audit File /tmp/x··y' });
  });

  it('keeps a bounded number of rows, and counts what the others do', () => {
    const log = new Log();
    for (let index = 0; index < MAX_CONTAINERS + 10; index++)
      log.alerts(2, 1, { ContainerID: `many-${index}`, Sequence: 2 * index + 1, BootID: `b${index}` });
    log.put('throttled', event('AlertThreshold', {}, { ContainerID: 'many-x' }));
    expect(log.state.rows.size).toBe(MAX_CONTAINERS);
    expect(log.state.sequences.size).toBeLessThanOrEqual(1000);
    expect(log.state.others).toMatchObject({ seen: 10, passed: 10, open: 1 });
    log.put('throttled', event('AlertThresholdEnded', { DroppedAlerts: 1 }, { ContainerID: 'many-x' }));
    expect(log.state.others).toMatchObject({ reported: 1, open: 0 });
  });

  it('shows first who is throttled, then who lost most, then who speaks most', () => {
    const log = new Log();
    log.alerts(9, 9, { ContainerID: 'busy' });
    log.alerts(2, 2, { ContainerID: 'quiet' });
    log.alerts(5, 1, { ContainerID: 'was' });
    log.put('throttled', event('AlertThreshold', {}, { ContainerID: 'was' }));
    log.put('throttled', event('AlertThresholdEnded', { DroppedAlerts: 4 }, { ContainerID: 'was' }));
    log.alerts(2, 1, { ContainerID: 'now' });
    log.put('throttled', event('AlertThreshold', {}, { ContainerID: 'now' }));
    expect(topRows(log.state, 3).map(({ key }) => key)).toEqual(['now', 'was', 'busy']);
  });
});
