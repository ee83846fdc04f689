import { expect, it } from 'vitest';
import { waitFor } from './wait-for.ts';

it('returns the first answer that is something, be it 0 or empty', async () => {
  const answers = [undefined, false, null, 0] as const;
  let asked = 0;
  const next = (): 0 | false | undefined | null => answers[asked++];
  expect(await waitFor('a number', next, { intervalMs: 1 })).toBe(0);
  expect(asked).toBe(4);
});

it('says what it waited for, and what the last attempt said', async () => {
  const wait = waitFor('the moon', () => Promise.reject(new Error('too far')), {
    timeoutMs: 5,
    intervalMs: 1,
  });
  await expect(wait).rejects.toMatchObject({
    message: 'waited 0.005 s in vain for the moon',
    cause: { message: 'too far' },
  });
});
