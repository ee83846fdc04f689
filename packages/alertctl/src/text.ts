// Texts for a terminal: tables, durations, times. What comes from inside a container must not steer the terminal.
import Table from 'cli-table3';

/** Control characters (escape sequences, line breaks) and what reverses the direction of text, as visible escapes. */
export function plain(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Columns with two spaces between them, under a heading. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const borders = [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
  ];
  const inner = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'];
  const chars = Object.fromEntries([...borders, ...inner].map((name) => [name, '']));
  const made = new Table({
    head: [...heading],
    chars: { ...chars, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  for (const row of rows) made.push(row.map(plain));
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** `4 s`, `2 min`, `3 h 20 min`, `2 d 4 h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return parts(hours, 'h', minutes % 60, 'min');
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function parts(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** `2026-11-23 07:02:11.123Z`; empty for 0. */
export function utc(micros: number): string {
  return micros === 0 ? '' : new Date(Math.floor(micros / 1000)).toISOString().replace('T', ' ');
}

const SHORT_ID = 12;

/** The short form of a container id that container tools print; any other key as it is. */
export function shortContainer(key: string): string {
  return /^[0-9a-f]{64}$/.test(key) ? key.slice(0, SHORT_ID) : key;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
