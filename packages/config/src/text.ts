// Small text helpers for messages about settings: masking of credentials, nearest known name, wrapping.

/** Replaces what stands between `://` and the last `@` of a word, so that a URL can be printed. */
export function maskCredentials(text: string): string {
  return text.replace(/:\/\/\S*@/g, '://***@');
}

const SHOWN_CHARACTERS = 80;

/** The value as it may be printed in an error: shortened, credentials in URLs masked, secrets not at all. */
export function printable(value: unknown, secret = false): string {
  if (secret) return '(hidden, it is a secret)';
  const text = maskCredentials(typeof value === 'bigint' ? String(value) : asJson(value));
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}...`;
}

/** As JSON; YAML maps come as Map. */
function asJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part instanceof Map ? Object.fromEntries(part as Map<string, unknown>) : part,
  );
}

/** The known name that the typed one most likely stands for, if any is near enough. */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const plain = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase();
  const wanted = plain(typed);
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(wanted, plain(name));
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance, two rows. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}

/** Breaks a text into lines of at most `width` characters, at spaces; a longer word is cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const whole of text.split(' ')) {
    let word = whole;
    while (word.length > width) {
      if (line !== '') lines.push(line);
      line = '';
      lines.push(word.slice(0, width));
      word = word.slice(width);
    }
    if (line === '') line = word;
    else if (line.length + 1 + word.length <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== '') lines.push(line);
  return lines;
}
