// Kafka as every program here uses it: the client, the three topics, partitioning by key, compression.
export {
  abortHanging,
  AbortSkippedError,
  type HangingOptions,
  type TopicPartition,
} from './abort-hanging.ts';
export {
  AlertKafka,
  createKafka,
  kafkaOptions,
  type KafkaOptions,
  type SaslOptions,
  type TlsOptions,
} from './client.ts';
export { createCluster } from './cluster.ts';
export {
  COMPRESSION_TYPES,
  MAX_UNPACKED_BYTES,
  registerCompression,
  type Compression,
} from './compression.ts';
export { KAFKA_ERROR_CODES, KafkaError, kafkaFailure, type KafkaErrorCode } from './errors.ts';
export { stopIdleTimers } from './idle-timer.ts';
export { asPartitionRecords, partitionRecords } from './indexed-fetch.ts';
export { logInto, type KafkaLogger } from './logging.ts';
export { PartitionRecords, type PartitionRecord } from './partition-records.ts';
export { murmur2Partitioner, partitionFor } from './partitioning.ts';
export {
  checkTopics,
  NOT_THERE,
  createTopics,
  OUTPUT_MESSAGE_BYTES,
  RAW_RETENTION_MS,
  topicNames,
  topicProblems,
  type TopicFacts,
  type TopicNames,
  type TopicProblem,
  type TopicSize,
} from './topics.ts';
