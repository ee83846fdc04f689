// Redis as the programs here use it.
export {
  connectRedis,
  createRedis,
  redisAddress,
  redisFailure,
  redisOptions,
  type RedisConfig,
  type RedisLogger,
  type RedisOptions,
} from './client.ts';
export { explained, REDIS_ERROR_CODES, RedisError, type RedisErrorCode } from './errors.ts';
