import { expect, it } from 'vitest';
import { providerKind } from './providers.ts';

const all = { KAFKA_BROKERS: 'k:1', SCHEMA_REGISTRY_URL: 'http://r', REDIS_URL: 'redis://r' };

it('takes the servers that the environment names, whatever else it says', () => {
  expect(providerKind(all)).toBe('environment');
  expect(providerKind({ ...all, TEST_STACK: 'containers' })).toBe('environment');
});

it('starts processes, or containers where it is told to', () => {
  expect(providerKind({})).toBe('processes');
  expect(providerKind({ TEST_STACK: '' })).toBe('processes');
  expect(providerKind({ TEST_STACK: 'containers' })).toBe('containers');
});

it('refuses half of a stack, and kinds that it does not know', () => {
  expect(() => providerKind({ KAFKA_BROKERS: 'k:1' })).toThrow(/only KAFKA_BROKERS is set/);
  expect(() => providerKind({ ...all, REDIS_URL: '' })).toThrow(
    /none; only KAFKA_BROKERS, SCHEMA_REGISTRY_URL/,
  );
  expect(() => providerKind({ TEST_STACK: 'docker' })).toThrow(/"docker"/);
});
