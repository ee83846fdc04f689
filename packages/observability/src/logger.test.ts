import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createLogger } from './logger.ts';

function collector(): { readonly lines: string[]; readonly destination: Writable } {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  return { lines, destination };
}

describe('json', () => {
  test('given a line, then it is one JSON object with level, time, service and fields', () => {
    const { lines, destination } = collector();
    createLogger({ service: 'throttler', level: 'info', format: 'json', destination }).info(
      { partition: 3 },
      'claimed',
    );
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'info', service: 'throttler', partition: 3, msg: 'claimed' });
    expect(Date.parse(String(line['time']))).not.toBeNaN();
  });

  test('given a level, then less severe lines are not written', () => {
    const { lines, destination } = collector();
    createLogger({ service: 's', level: 'warn', format: 'json', destination }).info('no');
    expect(lines).toEqual([]);
  });

  test('given passwords in fields, then they are masked, two levels deep', () => {
    const { lines, destination } = collector();
    const logger = createLogger({ service: 's', level: 'info', format: 'json', destination });
    const config = { kafkaSaslPassword: 'hunter2', redisPassword: 'hunter2', user: 'me' };
    logger.info({
      password: 'hunter2',
      sasl: { password: 'hunter2' },
      kafka: { sasl: { password: 'hunter2' } },
      config,
    });
    expect(lines.join('')).not.toContain('hunter2');
    expect(lines.join('')).toContain('"user":"me"');
  });
});

describe('pretty', () => {
  test('given a line, then it is readable, holds the fields, and masks as well', () => {
    const { lines, destination } = collector();
    const logger = createLogger({ service: 'throttler', level: 'info', format: 'pretty', destination });
    logger.warn({ partition: 3, password: 'hunter2' }, 'claimed');
    const text = lines.join('');
    expect(text).toContain('WARN');
    expect(text).toContain('throttler: claimed');
    expect(text).toContain('"partition":3');
    expect(text).not.toContain('hunter2');
  });
});
