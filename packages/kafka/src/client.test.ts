import { kafkaSettings, loadConfig } from '@alert-throttle/config';
import { describe, expect, test } from 'vitest';
import { createKafka, kafkaOptions } from './client.ts';
import type { KafkaLogger } from './logging.ts';

const sasl = { KAFKA_SASL_MECHANISM: 'scram-sha-256', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };

describe('kafkaOptions', () => {
  test('given the defaults, then there is neither TLS nor SASL', () => {
    expect(kafkaOptions(loadConfig(kafkaSettings, { env: {} }), 'me')).toEqual({
      brokers: ['127.0.0.1:9092'],
      clientId: 'me',
    });
  });

  test('given TLS and SASL, then they are set up', () => {
    const options = kafkaOptions(loadConfig(kafkaSettings, { env: { ...sasl, KAFKA_TLS: 'true' } }));
    expect(options).toMatchObject({
      tls: {},
      sasl: { mechanism: 'scram-sha-256', username: 'u', password: 'p' },
    });
  });

  test('given a CA file that is not there, then it is refused by name', () => {
    const config = loadConfig(kafkaSettings, { env: { KAFKA_TLS: '1', KAFKA_TLS_CA_FILE: '/no/such' } });
    expect(() => kafkaOptions(config)).toThrow('KAFKA_TLS_CA_FILE');
  });
});

test('given a broker that refuses, then the error is thrown and logged with its address, without the partitioner warning', async () => {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at = (level: string) => (fields: object, message: string) => lines.push({ level, fields, message });
  const logger: KafkaLogger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const brokers = ['127.0.0.1:1'];
  const kafka = createKafka({ brokers, clientId: 'test', retry: { retries: 0 } }, logger);
  kafka.producer();
  const admin = kafka.admin();
  await expect(admin.connect()).rejects.toThrow('127.0.0.1:1');
  await admin.disconnect();
  expect(lines.map(({ level }) => level)).toContain('warn');
  expect(JSON.stringify(lines)).toContain('ECONNREFUSED');
  expect(JSON.stringify(lines)).not.toContain('partitioner');
});
