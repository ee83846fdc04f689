// The throttler as a process that kills or stops itself at the point that FAULT names; started by FaultyRun.

import { stopSignal } from '@alert-throttle/lifecycle';
import { createLogger } from '@alert-throttle/observability';

import { runThrottler } from '../run.ts';
import { type Fault, FaultTrigger } from './fault.ts';
import { interposedBy } from './faulty-clients.ts';

const { FAULT, ...env } = process.env;
if (FAULT === undefined) throw new Error('FAULT says which fault');
const trigger = new FaultTrigger(JSON.parse(FAULT) as Fault);
process.on('SIGUSR2', () => trigger.arm());

process.exitCode = await runThrottler({
  env,
  file: undefined,
  signal: stopSignal(process, { again: () => process.exit(130) }),
  makeLogger: (level, format) => createLogger({ service: 'throttler', level, format }),
  exit: (code) => process.exit(code),
  interposed: interposedBy(trigger),
});
process.exit();
