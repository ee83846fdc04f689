// Where lines go. A reader that goes away (`alertctl tail | head`) ends the program without a complaint.
import { once } from 'node:events';
import type { Writable } from 'node:stream';

export interface Output {
  /** Writes lines; resolves when the reader keeps up. */
  print(text: string): Promise<void>;
  /** Aborted when nobody reads any more. */
  readonly closed: AbortSignal;
}

export function outputTo(stream: Writable): Output {
  const controller = new AbortController();
  stream.on('error', (error: Error) => {
    controller.abort(error);
  });
  return {
    closed: controller.signal,
    print: async (text) => {
      if (controller.signal.aborted) return;
      if (stream.write(`${text}\n`)) return;
      // Aborted while waiting: nobody reads any more.
      await once(stream, 'drain', { signal: controller.signal }).catch(() => undefined);
    },
  };
}
