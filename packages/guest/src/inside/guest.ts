// What a scenario is given: its arguments, and a way to say what it saw.
import { closeSync, openSync, writeSync } from 'node:fs';

/** The serial line that the host keeps apart from the console. */
const REPORTS = '/dev/ttyS1';

export interface Guest {
  /** The tag of the scenario's lines. */
  readonly name: string;
  readonly args: unknown;
  /** One line for the test that started the guest. The line is slow: counts and samples, not floods. */
  report(name: string, data?: Readonly<Record<string, unknown>>): void;
}

/** The default export of a scenario. */
export type Scenario = (guest: Guest) => Promise<void> | void;

const RESERVED = new Set(['ended', 'failed']);

export function guestOf(name: string, args: unknown): Guest {
  return {
    name,
    args,
    report(line, data = {}) {
      if (RESERVED.has(line)) throw new Error(`the line "${line}" is the harness's own`);
      writeLine(name, line, data);
    },
  };
}

export function writeLine(scenario: string, name: string, data: Readonly<Record<string, unknown>>): void {
  const bytes = Buffer.from(`${JSON.stringify({ scenario, name, data }, plain)}\n`);
  const line = openSync(REPORTS, 'a');
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(line, bytes, at);
  } finally {
    closeSync(line);
  }
}

/** JSON has no bigint; as text none loses a digit. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
