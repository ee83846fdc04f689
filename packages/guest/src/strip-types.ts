// The sources as the guest gets them: JavaScript, with blanks where types were, so that lines and columns stay.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';

/** In place, all of a folder but packages of npm. */
export function stripTypes(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules') stripTypes(path);
    } else if (entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts')) {
      writeFileSync(path, stripTypeScriptTypes(readFileSync(path, 'utf8')));
    }
  }
}
