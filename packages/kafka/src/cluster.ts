// A way to the requests of kafkajs that are in none of its clients: its cluster, which finds brokers and coordinators.
import type { Kafka } from 'kafkajs';

/** As KIP-98 numbers them; kafkajs asks for committed records where it is not told otherwise. */
export const READ_UNCOMMITTED = 0;

/** To be taken as what the caller needs of it: kafkajs 2.2.4 has no types for it. Connects and disconnects by itself. */
export function createCluster(kafka: Kafka): unknown {
  const create = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const createIn: unknown = create && Reflect.get(kafka, create);
  if (typeof createIn !== 'function') throw new Error('this version of kafkajs has no createCluster');
  return Reflect.apply(createIn, kafka, [
    { metadataMaxAge: 300_000, allowAutoTopicCreation: false, isolationLevel: READ_UNCOMMITTED },
  ]);
}
