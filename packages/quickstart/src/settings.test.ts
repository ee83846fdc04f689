import { ConfigError } from '@alert-throttle/config';
import { describe, expect, it } from 'vitest';
import { loadSettings } from './settings.ts';

const servers = {
  KAFKA_BROKERS: '127.0.0.1:1',
  SCHEMA_REGISTRY_URL: 'http://127.0.0.1:2',
  REDIS_URL: 'redis://127.0.0.1:3',
};

describe('the settings', () => {
  it('start a local stack where no server is named', () => {
    expect(loadSettings({ env: {} })).toMatchObject({ external: false, config: { throttleSec: 30 } });
  });

  it('use the servers that are named, and the limits that are set', () => {
    expect(loadSettings({ env: { ...servers, THROTTLE_SEC: '3' } })).toMatchObject({
      external: true,
      config: { kafkaBrokers: ['127.0.0.1:1'], throttleSec: 3 },
    });
  });

  it('refuse a mixture, and name what is missing', () => {
    expect(() => loadSettings({ env: { KAFKA_BROKERS: '127.0.0.1:1' } })).toThrow(ConfigError);
    expect(() => loadSettings({ env: { KAFKA_BROKERS: '127.0.0.1:1' } })).toThrow(
      'SCHEMA_REGISTRY_URL and REDIS_URL not set',
    );
  });
});
