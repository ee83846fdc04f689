// Topics and offsets that are not as they must be: said by name with what sets it right, and never guessed around.

import { testKafka, uniqueName, waitFor } from '@alert-throttle/test-kit';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Scenario } from './testing/scenario.ts';
import { ThrottlerRun } from './testing/throttler-run.ts';

describe('given topics that are missing or wrong', () => {
  const name = uniqueName('throttler');
  const topics = { raw: `${name}.raw`, throttled: `${name}.throttled`, deadLetter: `${name}.dead-letter` };
  const admin = testKafka().admin();
  let run: ThrottlerRun;

  beforeAll(async () => {
    await admin.connect();
    run = new ThrottlerRun({
      RAW_TOPIC: topics.raw,
      THROTTLED_TOPIC: topics.throttled,
      DEAD_LETTER_TOPIC: topics.deadLetter,
      CONSUMER_GROUP: uniqueName('group'),
    });
  });
  afterAll(async () => {
    await run.kill();
    await admin.deleteTopics({ topics: Object.values(topics) });
    await admin.disconnect();
  });

  const setRaw = async (entry: string, value: string): Promise<void> => {
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topics.raw,
          configEntries: [
            { name: 'cleanup.policy', value: 'delete' },
            { name: 'retention.ms', value: '604800000' },
            { name: entry, value },
          ],
        },
      ],
    });
  };
  /** Waits for a line that names the topic and the command. */
  const refused = async (topic: string, problem: string, command: string): Promise<void> => {
    await run.until(`the refusal of ${topic}`, () =>
      Promise.resolve(
        run.log.some(({ msg }) => msg.includes(topic) && msg.includes(problem) && msg.includes(command)),
      ),
    );
  };

  test('none of them exists, then each is named with the command that makes it', async () => {
    await refused(topics.raw, 'does not exist', 'kafka-topics.sh');
    await refused(topics.throttled, 'does not exist', `--create --topic ${topics.throttled}`);
    await refused(topics.deadLetter, 'does not exist', `--create --topic ${topics.deadLetter}`);
  });

  test('the raw topic has CreateTime and the throttled one fewer partitions, then both are named', async () => {
    await admin.createTopics({
      topics: [
        { topic: topics.throttled, numPartitions: 2 },
        { topic: topics.deadLetter, numPartitions: 3 },
        {
          topic: topics.raw,
          numPartitions: 3,
          configEntries: [{ name: 'retention.ms', value: '604800000' }],
        },
      ],
      waitForLeaders: false,
    });
    await refused(topics.raw, 'CreateTime', '--add-config message.timestamp.type=LogAppendTime');
    await refused(topics.throttled, 'has 2 partitions', '--alter');
    expect((await run.readyz()).ok).toBe(false);
  });

  test('and they are set right, then it goes on by itself', async () => {
    await setRaw('message.timestamp.type', 'LogAppendTime');
    await admin.createPartitions({ topicPartitions: [{ topic: topics.throttled, count: 3 }] });
    await run.ready(3);
    expect(await run.stop()).toBe(0);
  });
});

describe('given records that were deleted before they were decided', () => {
  let scenario: Scenario;
  const LOST = 5;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 2, limits: { throttleSec: 600 } });
  });
  afterAll(() => scenario.close());

  test('then the gap is announced once, and windows live on where the checkpoint has them', async () => {
    const { feed } = scenario;
    const [kept, forgotten] = [feed.containerIn(0, 0), feed.containerIn(1, 0)];
    const both = (count: number): ReturnType<typeof feed.alert>[] =>
      [kept, forgotten].flatMap((ContainerID) =>
        Array.from({ length: count }, () => feed.alert({ ContainerID })),
      );
    const first = scenario.start();
    await first.ready(2);
    await feed.send(both(5));
    await scenario.drained();
    expect(await first.stop()).toBe(0);
    await scenario.deleteCheckpoints([1]);

    const committed = await scenario.committed();
    await feed.send(both(LOST));
    const partitions = [...committed].map(([partition, { offset }]) => ({
      partition,
      offset: String(offset + LOST),
    }));
    await scenario.admin.deleteTopicRecords({ topic: scenario.topics.raw, partitions });
    const more = both(2);
    await feed.send(more);

    const second = scenario.start();
    await second.ready(2);
    await scenario.drained();
    expect(await second.metric('claims_total', 'how="gap"')).toBe(2);
    await second.kill();
    const third = scenario.start();
    await third.ready(2);
    expect(await third.stop()).toBe(0);

    for (const [partition, { offset }] of committed) {
      const records = (await scenario.throttled()).filter((one) => one.partition === partition);
      const alerts = await scenario.decoded(records);
      const lost = alerts.filter(({ Operation }) => Operation === 'AlertsLost');
      expect(lost).toMatchObject([
        {
          Type: 'SystemEvent',
          Lost: { LostAlerts: LOST, First: offset, Last: offset + LOST - 1, Counter: 'offset' },
        },
      ]);
      expect(lost[0]?.Lost?.Reason).toContain(`${scenario.topics.raw}/${partition}`);
      const after = alerts.slice(alerts.findIndex(({ Operation }) => Operation === 'AlertsLost') + 1);
      // The checkpoint still knew of the interval; without it the container starts from nothing.
      expect(after.map(({ Sequence }) => Sequence)).toEqual(
        partition === 0 ? [] : more.filter((one) => one.ContainerID === forgotten).map((one) => one.Sequence),
      );
    }
  });
});

describe('given a committed offset that is not of this log', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await Scenario.create({ partitions: 1 });
    const run = scenario.start();
    await run.ready();
    await scenario.feed.send([scenario.feed.alert()]);
    await scenario.drained();
    await run.stop();
  });
  afterAll(() => scenario.close());

  test('as it lies beyond the end, then it refuses, and says that this is another topic', async () => {
    const group = scenario.sameTopics();
    await scenario.admin.setOffsets({
      groupId: group.group,
      topic: scenario.topics.raw,
      partitions: [{ partition: 0, offset: '1000' }],
    });
    const run = group.start();
    expect((await run.service.exit()).code).toBe(78);
    const [refusal] = run.logged('lies beyond the end of the log');
    expect(refusal?.msg).toContain('another topic under the same name');
    expect(refusal?.msg).toContain('1000');
    // Nobody moved it meanwhile.
    const [committed] = await scenario.admin.fetchOffsets({
      groupId: group.group,
      topics: [scenario.topics.raw],
    });
    expect(committed?.partitions.map(({ offset }) => offset)).toEqual(['1000']);
  });

  test('as the topic was deleted and made again, then nothing of it is decided without being asked for', async () => {
    const { admin, topics } = scenario;
    await admin.deleteTopics({ topics: [topics.raw] });
    await waitFor('the deletion', async () => !(await admin.listTopics()).includes(topics.raw));
    await waitFor('the new topic', async () => {
      await admin.createTopics({
        topics: [
          {
            topic: topics.raw,
            numPartitions: 1,
            configEntries: [
              { name: 'message.timestamp.type', value: 'LogAppendTime' },
              { name: 'retention.ms', value: '604800000' },
            ],
          },
        ],
        waitForLeaders: false,
      });
      return (await admin.listTopics()).includes(topics.raw);
    });
    const before = await scenario.throttled();
    const run = scenario.start();
    const { code } = await run.service.exit();
    expect(code).toBe(78);
    expect(run.log.some(({ msg }) => /START_FROM=earliest|beyond the end of the log/.test(msg))).toBe(true);
    expect(await scenario.throttled()).toEqual(before);
  });
});
