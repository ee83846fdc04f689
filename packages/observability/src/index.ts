// What a service tells about itself: log lines, metrics, health.
export { startHttp, type Check, type HttpLogger, type HttpOptions, type HttpServer } from './http.ts';
export { createLogger, type Logger, type LoggerOptions } from './logger.ts';
export { Metrics, SECONDS_BUCKETS } from './metrics.ts';
