import { describe, expect, it } from 'vitest';
import { parseWindowField } from './checkpoint-format.ts';
import { PartitionFold } from './partition-fold.ts';
import { detailsOf } from './testing/history.ts';

const P = 1_795_417_331_600_999;
const sink = { threshold: (): void => undefined, ended: (): void => undefined };
const ID = 'a4e3d52aeda8a0256d3c8ad819ec1bc6b61e4fa6f6d68858196d5195b5765d9f';

function foldOf(alerts: number, maxAlertPerSec: number): PartitionFold {
  const fold = new PartitionFold();
  fold.advance(P, sink);
  for (let offset = 0; offset < alerts; offset++) {
    const seen = {
      containerKey: ID,
      eventTimeMicros: P - 500_000 + offset,
      policy: `policy-${offset % 3}`,
      operation: 'File',
      partition: 4,
      offset,
      details: () => detailsOf(ID),
    };
    fold.alert(seen, { alertThrottling: true, maxAlertPerSec, throttleSec: 30 }, sink);
  }
  return fold;
}

const quietValue =
  'passed=2 opened=2026-11-23T07:02:11.100999Z last=2026-11-23T07:02:11.101000Z seen=2026-11-23T07:02:11.600999Z';

describe('the checkpoint of a window', () => {
  const throttled = foldOf(7, 2).snapshot().set[0]?.[1] ?? '';

  it('is one short line while it is quiet', () => {
    expect(foldOf(2, 10).snapshot()).toEqual({
      set: [[`default/${ID}`, quietValue]],
      del: [],
      throttledSet: [],
      throttledDel: [],
    });
    expect(quietValue.length).toBeLessThan(115);
  });

  it('is readable JSON in an interval, and the container is listed with the end in Unix seconds', () => {
    const { set, throttledSet } = foldOf(7, 2).snapshot();
    const [[field, value] = ['', '']] = set;
    expect(field).toBe(`default/${ID}`);
    expect(value.length).toBeLessThan(1536);
    expect(JSON.parse(value)).toEqual({
      throttledUntil: '2026-11-23T07:02:41.101001Z',
      crossedAt: '2026-11-23T07:02:11.101001Z',
      dropped: 5,
      reported: false,
      due: '2026-11-23T07:02:41.600999Z',
      maxAlertPerSec: 2,
      throttleSec: 30,
      droppedByPolicy: [
        ['policy-2', 2],
        ['policy-0', 2],
        ['policy-1', 1],
      ],
      otherPolicies: 0,
      droppedByOperation: [['File', 5]],
      otherOperations: 0,
      firstDropped: { Partition: 4, Offset: 2 },
      lastDropped: { Partition: 4, Offset: 6 },
      trigger: detailsOf(ID).trigger,
      container: detailsOf(ID).identity,
      passed: 2,
      opened: '2026-11-23T07:02:11.100999Z',
      last: '2026-11-23T07:02:11.101005Z',
      seen: '2026-11-23T07:02:11.600999Z',
    });
    expect(throttledSet).toEqual([[ID, 1_795_417_361.101001]]);
    expect(String(throttledSet[0]?.[1])).toBe('1795417361.101001');
  });

  it('tells an operator what it says', () => {
    expect(parseWindowField(`default/${ID}`, quietValue)).toEqual({
      profile: 'default',
      containerKey: ID,
      passed: 2,
      openedAtMicros: P - 500_000,
      lastMicros: P - 499_999,
      seenAtMicros: P,
      interval: undefined,
    });
    const [[field, value] = ['', '']] = foldOf(7, 2).snapshot().set;
    expect(parseWindowField(field, value)?.interval).toMatchObject({
      throttledUntilMicros: P + 29_500_002,
      dropped: 5,
      reported: false,
      identity: { PodName: `pod-${ID}` },
    });
    expect(parseWindowField('@offset', '12')).toBeUndefined();
  });

  it('keeps names with slashes and percent signs apart', () => {
    const fold = new PartitionFold();
    fold.advance(P, sink);
    fold.isRepeat('n/1', '2', 5);
    fold.isRepeat('n', '1/2', 6);
    fold.isRepeat('n%2F1', '2', 7);
    const { set } = fold.snapshot();
    expect(set).toEqual([
      ['@sequence/n%2F1/2', '5 seen=2026-11-23T07:02:11.600999Z'],
      ['@sequence/n/1/2', '6 seen=2026-11-23T07:02:11.600999Z'],
      ['@sequence/n%252F1/2', '7 seen=2026-11-23T07:02:11.600999Z'],
    ]);
    const restored = PartitionFold.restore(set, P);
    expect(restored.digest()).toBe(fold.digest());
    expect([restored.isRepeat('n/1', '2', 5), restored.isRepeat('n', '1/2', 6)]).toEqual([true, true]);
    expect([restored.isRepeat('n/1', '2', 6), restored.isRepeat('n%2F1', '2', 8)]).toEqual([false, false]);
  });

  it("passes over the service's own fields", () => {
    const restored = PartitionFold.restore(
      [
        ['@offset', '17'],
        ['@limits', 'x'],
        [`default/${ID}`, quietValue],
      ],
      P,
    );
    expect(restored.windowCount).toBe(1);
    expect(restored.digest()).toBe(foldOf(2, 10).digest());
  });

  it.each([
    ['passed=2', 'passed=3'],
    ['opened=2026-11-23T07:02:11.100999Z', 'opened=2026-11-23T07:02:11.101000Z'],
    ['last=2026-11-23T07:02:11.101000Z', 'last=2026-11-23T07:02:11.101001Z'],
    ['seen=2026-11-23T07:02:11.600999Z', 'seen=2026-11-23T07:02:12.600999Z'],
    ['"throttledUntil":"2026', '"throttledUntil":"2027'],
    ['"crossedAt":"2026', '"crossedAt":"2025'],
    ['"dropped":5', '"dropped":6'],
    ['"reported":false', '"reported":true'],
    ['"due":"2026', '"due":"2027'],
    ['"maxAlertPerSec":2', '"maxAlertPerSec":3'],
    ['"throttleSec":30', '"throttleSec":31'],
    ['["policy-2",2]', '["policy-2",3]'],
    ['"otherPolicies":0', '"otherPolicies":1'],
    ['["File",5]', '["File",6]'],
    ['"otherOperations":0', '"otherOperations":1'],
    ['"Offset":2}', '"Offset":1}'],
    ['"Offset":6}', '"Offset":7}'],
    ['"Partition":4', '"Partition":5'],
  ])('shows in the digest where %s is %s', (from, to) => {
    const value = [quietValue, throttled].find((one) => one.includes(from)) ?? '';
    const [good, changed] = [value, value.replace(from, to)].map((one) =>
      PartitionFold.restore([[`default/${ID}`, one]], P),
    );
    expect(changed?.digest()).not.toBe(good?.digest());
    expect(changed?.snapshot().set).toEqual([[`default/${ID}`, value.replace(from, to)]]);
  });

  it.each([
    ['default/x', ''],
    ['default/x', 'passed=3'],
    ['default/x', quietValue.replace('opened=2026', 'opened=')],
    ['default/x', `${quietValue} `],
    ['default/x', '{'],
    ['default/x', '{}'],
    ['default/x', throttled.replace('"dropped":5', '"dropped":"5"')],
    ['default/x', throttled.replace('["policy-1",1]', '["policy-1"]')],
    ['default/x', throttled.replace('"maxAlertPerSec":2', '"maxAlertPerSec":0')],
    ['default/x', throttled.replace(/"due":"[^"]*"/, '"due":"soon"')],
    ['other/x', quietValue],
    ['x', quietValue],
    ['/x', quietValue],
    ['@sequence/n', '1 seen=2026-11-23T07:02:11.600999Z'],
    ['@sequence/n/b', '1'],
  ])('refuses %s with %s, naming the field', (field, value) => {
    expect(() => PartitionFold.restore([[field, value]], P)).toThrow(
      expect.objectContaining({ code: 'MALFORMED_CHECKPOINT_FIELD', field }),
    );
  });
});
