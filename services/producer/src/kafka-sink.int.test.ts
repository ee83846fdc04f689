import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeAlert } from '@alert-throttle/alert';
import { createTestTopics, testKafka } from '@alert-throttle/test-kit';
import avro, { type Schema } from 'avsc';
import kafkajs from 'kafkajs';
import { expect, it } from 'vitest';
import { openSqliteSpool } from './adapters/sqlite-spool.ts';
import { feedAlert } from './testing/kubearmor-json.ts';
import {
  readRaw,
  runProducer,
  startProducer,
  writeLines,
  type ProducerPlace,
} from './testing/producer-run.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

async function place(partitions = 1): Promise<ProducerPlace> {
  return { topics: await createTestTopics(partitions, 'producer'), folder: temporaryFolder() };
}

/** Leaves one alert in the spool, as a program would whose newest schema was `version`. */
function leaveInSpool({ folder }: ProducerPlace, version: number, value: Buffer): void {
  const dir = join(folder, 'spool');
  const spool = openSqliteSpool({ dir, maxBytes: 1e6, schemaVersion: version, nowMs: Date.now });
  const record = {
    kind: 'alert',
    key: 'c',
    value: Buffer.concat([Buffer.alloc(5), value]),
    headers: null,
  } as const;
  spool.append({ records: [record], nextSequence: 2, loss: undefined, cursor: undefined });
  spool.close();
}

it('sends less at once where the broker takes less', async () => {
  const here = await place();
  const admin = testKafka().admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: here.topics.raw,
        configEntries: [
          { name: 'max.message.bytes', value: '20000' },
          { name: 'message.timestamp.type', value: 'LogAppendTime' },
          { name: 'retention.ms', value: '604800000' },
        ],
      },
    ],
  });
  await admin.disconnect();
  const lines = Array.from({ length: 300 }, (_, index) => feedAlert({ Message: String(index) }));
  // Compressed, all of it would fit.
  const options = { env: { KAFKA_COMPRESSION: 'none' } };
  expect(await runProducer(here, writeLines(here.folder, lines), options)).toMatchObject({
    alertsProduced: 300,
  });
  const messages = (await readRaw(here.topics)).map(({ alert }) => alert?.Message);
  expect(messages).toEqual(lines.map((line) => line['Message']));
});

it('sends what an older version of the program left in the spool, in the newest schema', async () => {
  const here = await place();
  const file = new URL('../../../schemas/released/Alert-v1.avsc', import.meta.url);
  const first = avro.Type.forSchema(JSON.parse(readFileSync(file, 'utf8')) as Schema);
  const alert = makeAlert({
    ContainerID: 'c',
    NodeID: 'n',
    BootID: 'b',
    Sequence: 1,
    Message: 'from before',
  });
  leaveInSpool(here, 1, first.toBuffer(alert));
  expect(await runProducer(here, writeLines(here.folder, []))).toMatchObject({ alertsProduced: 1 });
  const [record] = await readRaw(here.topics);
  expect(record?.alert).toEqual({ ...alert, EventTimeMicros: 0 });
});

it('refuses what a later version of the program left in the spool, and keeps it', async () => {
  const here = await place();
  leaveInSpool(here, 99, Buffer.from('whatever'));
  const service = startProducer(here, writeLines(here.folder, []));
  expect((await service.exit()).code).toBe(1);
  expect(service.stderr).toContain('schema version 99');
  expect(await readRaw(here.topics)).toEqual([]);
});

it('spreads the containers over all partitions, in sends of any mix', async () => {
  const here = await place(4);
  const lines = Array.from({ length: 5_000 }, (_, index) =>
    feedAlert({ ContainerID: `container-${index % 50}`, Message: String(index) }),
  );
  await runProducer(here, writeLines(here.folder, lines));
  const records = await readRaw(here.topics);
  expect(new Set(records.map(({ partition }) => partition)).size).toBe(4);
  for (let partition = 0; partition < 4; partition++) {
    const sequences = records
      .filter((record) => record.partition === partition)
      .map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  }
  expect(records).toHaveLength(5_000);
});
