// What tests against the real Kafka, registry and Redis have in common.
export { checkout } from './checkout.ts';
export { faultRounds, tally } from './fault-tally.ts';
export { OwnKafka, type OwnKafkaOptions } from './own-kafka.ts';
export { readTopic, type ReadOptions, type ReadRecord } from './read-topic.ts';
export {
  runService,
  RunningService,
  type Exit,
  type RunServiceOptions,
  type ServiceName,
} from './run-service.ts';
export { containerId, sampleAlert } from './sample-alert.ts';
export { redisServer, testStack } from './stack.ts';
export { createTestTopics, testKafka, topicEnv, uniqueName } from './topics.ts';
export { waitFor, type WaitOptions } from './wait-for.ts';
