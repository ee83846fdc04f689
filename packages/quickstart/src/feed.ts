// Writes the sample's lines at their time, so that the view is alive while they pass.
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SampleLine } from './sample.ts';

/** A line is written at its time or up to this much later. Never earlier: no alert may lie in the future. */
const TICK_MS = 25;

/**
 * Writes the lines in real time and ends the stream. A slow reader delays the lines, not the times in them.
 * Rejects when the stream fails or `signal` aborts.
 */
export async function feedSample(
  lines: readonly SampleLine[],
  to: Writable,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = Date.now();
  let next = 0;
  while (next < lines.length) {
    const elapsedMs = Date.now() - startedMs;
    const due = dueLines(lines, next, elapsedMs);
    if (due.length > 0) {
      next += due.length;
      const text = due
        .map((line) => `${line.text(startedMs * 1000 + Math.floor(line.atMs * 1000))}\n`)
        .join('');
      if (!to.write(text)) await once(to, 'drain', { signal });
    }
    await sleep(TICK_MS, undefined, { signal });
  }
  to.end();
}

/** The lines from `next` on whose time has come. */
export function dueLines(lines: readonly SampleLine[], next: number, elapsedMs: number): SampleLine[] {
  let end = next;
  while (end < lines.length && (lines[end]?.atMs ?? Infinity) <= elapsedMs) end++;
  return lines.slice(next, end);
}
