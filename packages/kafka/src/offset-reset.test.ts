import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { fetchFromDefault, keepCommittedOffsets, type OffsetManager } from './offset-reset.ts';

describe('a fetch out of range', () => {
  it('goes on at the default offset for this consumer alone', async () => {
    const asked: object[] = [];
    const manager: OffsetManager = {
      topicConfigurations: { raw: { fromBeginning: true } },
      resolvedOffsets: { raw: { 3: '7' } },
      cluster: {
        fetchTopicsOffset: (topics) => {
          asked.push(...topics);
          return Promise.resolve([{ partitions: [{ partition: 3, offset: '100' }] }]);
        },
      },
      setDefaultOffset: fetchFromDefault,
    };
    await manager.setDefaultOffset({ topic: 'raw', partition: 3 });
    expect(manager.resolvedOffsets).toEqual({ raw: { 3: '100' } });
    expect(asked).toEqual([{ topic: 'raw', partitions: [{ partition: 3 }], fromBeginning: true }]);
  });

  it('is so in the kafkajs that is installed', () => {
    keepCommittedOffsets();
    const require = createRequire(import.meta.url);
    const manager = require('kafkajs/src/consumer/offsetManager') as { prototype: OffsetManager };
    const found = Object.getOwnPropertyDescriptor(manager.prototype, 'setDefaultOffset');
    expect(found?.value).toBe(fetchFromDefault);
  });
});
