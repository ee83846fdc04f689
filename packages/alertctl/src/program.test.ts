import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { outputTo } from './output.ts';
import { runAlertctl } from './program.ts';

interface Ran {
  readonly status: number;
  readonly remarks: string;
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const remarks: string[] = [];
  const status = await runAlertctl(args, {
    env,
    out: outputTo(new PassThrough().resume()),
    remark: (text) => remarks.push(text),
    ended: new AbortController().signal,
  });
  return { status, remarks: remarks.join('\n') };
}

const away = { KAFKA_BROKERS: '127.0.0.1:1', REDIS_URL: 'redis://:hunter2@127.0.0.1:1' };

describe('exit status and message', () => {
  test.each([[[]], [['nonsense']], [['tail', '--max', '0']], [['tail', 'extra']], [['--nonsense']]])(
    'given the wrong usage %j, then 2, and what is wrong',
    async (args) => {
      const { status, remarks } = await run(args);
      expect(status).toBe(2);
      expect(remarks).not.toBe('');
    },
  );

  test('given a wrong setting, then 78, by name, before anything is connected', async () => {
    const { status, remarks } = await run(['limits'], { KAFKA_BROKERS: 'nowhere' });
    expect(status).toBe(78);
    expect(remarks).toContain('KAFKA_BROKERS (environment): got "nowhere"');
  });

  test.each([['limits'], ['tail'], ['topics']])(
    'given a broker that refuses, then %s ends with 1 and its address',
    async (command) => {
      const { status, remarks } = await run([command], away);
      expect(status).toBe(1);
      expect(remarks).toContain('Kafka at 127.0.0.1:1 refuses the connection');
      expect(remarks.split('\n')).toHaveLength(1);
    },
  );

  test('given a Redis that refuses, then windows ends with 1 and its address, without the password', async () => {
    const { status, remarks } = await run(['windows'], away);
    expect(status).toBe(1);
    expect(remarks).toContain('Redis at 127.0.0.1:1 refuses the connection');
    expect(remarks).not.toContain('hunter2');
  });

  test.each([[['kernel']], [['kernel', '--json']]])(
    'given nothing pinned, then %j ends with 1, and names it and what would help',
    async (args) => {
      const { status, remarks } = await run(args, { PIN_DIR: '/nonexistent/pins', HTTP_PORT: '1' });
      expect(status).toBe(1);
      expect(remarks).toMatch(
        /alertctl: (?:NOT_PINNED: nothing is pinned under \/nonexistent\/pins|NO_ADDON: )/,
      );
    },
  );
});
