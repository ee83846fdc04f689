// Composition root of alertctl: arguments, environment, streams and signals of the process.
import { stopSignal } from '@alert-throttle/lifecycle';
import { outputTo } from './output.ts';
import { runAlertctl } from './program.ts';

const out = outputTo(process.stdout);
const stopped = stopSignal(process, { again: () => process.exit(1) });
const ended = AbortSignal.any([stopped, out.closed]);

const status = await runAlertctl(process.argv.slice(2), {
  env: process.env,
  out,
  remark: (text) => process.stderr.write(`${text}\n`),
  ended,
});
// Not process.exit: what was written must get out.
process.exitCode = status;
