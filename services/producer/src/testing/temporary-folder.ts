// A folder of its own for a test, gone afterwards.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Only inside of a test or a beforeEach hook. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'producer-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
