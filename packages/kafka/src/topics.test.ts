import { describe, expect, test } from 'vitest';
import { NOT_THERE, topicProblems, type TopicFacts } from './topics.ts';

const names = { raw: 'in', throttled: 'out', deadLetter: 'dead' };
const right = {
  'cleanup.policy': 'delete',
  'message.timestamp.type': 'LogAppendTime',
  'retention.ms': '604800000',
  'max.message.bytes': '1048588',
};

function facts(
  partitions: Record<string, number>,
  raw: Record<string, string> = {},
  others: Record<string, string> = {},
): TopicFacts {
  const configOf = (topic: string): ReadonlyMap<string, string> =>
    new Map(Object.entries({ ...right, ...(topic === 'in' ? raw : others) }));
  return {
    names,
    brokers: ['kafka:9092'],
    partitions: new Map(Object.entries(partitions)),
    configs: new Map(Object.keys(partitions).map((topic) => [topic, configOf(topic)])),
  };
}

const six = { in: 6, out: 6, dead: 6 };

describe('topicProblems', () => {
  test('given topics as they must be, then there is none', () => {
    expect(topicProblems(facts(six))).toEqual([]);
    expect(topicProblems(facts(six, { 'retention.ms': '-1' }))).toEqual([]);
  });

  test('given a topic that is missing, then the command makes it like the others', () => {
    expect(topicProblems(facts({ out: 6, dead: 6 }))).toEqual([
      {
        topic: 'in',
        problem: NOT_THERE,
        fix:
          'kafka-topics.sh --bootstrap-server kafka:9092 --create --topic in --partitions 6 ' +
          '--config cleanup.policy=delete --config message.timestamp.type=LogAppendTime --config retention.ms=604800000',
      },
    ]);
  });

  test('given no topic at all, then three are missing', () => {
    expect(topicProblems(facts({})).map(({ topic }) => topic)).toEqual(['in', 'out', 'dead']);
  });

  test('given fewer partitions on one, then the command adds them, and for the raw topic there is a warning', () => {
    expect(topicProblems(facts({ in: 6, out: 3, dead: 6 }))).toMatchObject([
      {
        topic: 'out',
        fix: 'kafka-topics.sh --bootstrap-server kafka:9092 --alter --topic out --partitions 6',
      },
    ]);
    expect(topicProblems(facts({ in: 3, out: 6, dead: 6 }))[0]?.problem).toContain('stop producers');
  });

  test.each([
    ['message.timestamp.type', 'CreateTime', 'LogAppendTime'],
    ['retention.ms', '3600000', '604800000'],
    ['cleanup.policy', 'compact,delete', 'delete'],
  ])('given %s=%s on the raw topic, then the command sets it to %s', (name, is, wanted) => {
    const [problem, ...more] = topicProblems(facts(six, { [name]: is }));
    expect(more).toEqual([]);
    expect(problem?.problem).toContain(is);
    expect(problem?.fix).toBe(
      `kafka-configs.sh --bootstrap-server kafka:9092 --alter --entity-type topics --entity-name in --add-config ${name}=${wanted}`,
    );
  });

  test('given other times and retention on the other topics, then they are left alone; a compacted one is not', () => {
    expect(
      topicProblems(facts(six, {}, { 'message.timestamp.type': 'CreateTime', 'retention.ms': '1' })),
    ).toEqual([]);
    const compacted = topicProblems(facts(six, {}, { 'cleanup.policy': 'compact' }));
    expect(compacted.map(({ topic }) => topic)).toEqual(['out', 'dead']);
  });

  test('given topics of the throttler with small messages, then they are told', () => {
    expect(
      topicProblems(facts(six, {}, { 'max.message.bytes': '100000' })).map(({ topic }) => topic),
    ).toEqual(['out', 'dead']);
  });
});
