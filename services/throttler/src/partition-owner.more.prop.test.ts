// Up to three processes that own one partition in turn or believe that they do: crashes at every await, lost
// answers, transactions without an end, zombies that wake up late, Redis away, lost and rolled back, records that
// retention deletes, limits changed, idle time. Whatever happens, what is committed is the fold over the log, record for
// record, and once.
// Its other half is in partition-owner.prop.test.ts, so that two workers share the work.

import { faultRounds } from '@alert-throttle/test-kit';
import { it } from 'vitest';

import { playHistories } from './testing/random-history.ts';
import { seedOf } from './testing/random.ts';

const HISTORIES = 10_000;

it(
  'commits the fold over the log, record for record, whatever fails',
  { timeout: faultRounds(300_000) },
  () => playHistories(HISTORIES, seedOf('FAULT_SEED') + 1),
);
