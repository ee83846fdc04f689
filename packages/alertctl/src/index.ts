// The operator's command line, also for programs that show the same things.
export { outputTo, type Output } from './output.ts';
export { runAlertctl, type ProgramOptions } from './program.ts';
export {
  matches,
  recordJson,
  recordText,
  type TailContent,
  type TailFilter,
  type TailRecord,
} from './tail-text.ts';
