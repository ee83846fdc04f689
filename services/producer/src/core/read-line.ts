// One line of bytes becomes an alert, a tombstone, or the reason why it is neither.
import { refuse } from './dead-letters.ts';
import type { Line } from './line-splitter.ts';
import { mapAlert, type MapContext, type Mapped } from './map-alert.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function readLine(line: Line, context: MapContext): Mapped {
  if (line.truncated)
    return { kind: 'refused', ...refuse('line-too-long', `the line has ${line.size} bytes`) };
  let text: string;
  try {
    text = utf8.decode(line.bytes);
  } catch {
    return { kind: 'refused', ...refuse('invalid-utf8', 'the line is not UTF-8') };
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { kind: 'refused', ...refuse('invalid-json', error instanceof Error ? error.message : '') };
  }
  return mapAlert(json, context);
}
