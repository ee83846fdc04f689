// Paths in the language of profiles, so that each stands for itself and nothing else: whatever a file's name has in it,
// signs of patterns, quotes or line ends, the rule must not widen, and no text of a policy may become another rule.

/** Neither the language nor its patterns give these a meaning. */
const PLAIN = /[A-Za-z0-9_/.+-]/;
/**
 * Signs of patterns, of variables, and of the quoting itself: with a backslash they are what they are. Not the backslash: at
 * the end of a name the parser would take the quote after two of them for part of it.
 */
const ESCAPED = new Set('*?[]{}^,"@');

/** A path, or the rest of one, as part of a pattern in double quotes. Bytes beyond printable ASCII stand by number. */
export function literal(text: string): string {
  let quoted = '';
  for (const byte of Buffer.from(text)) {
    const sign = String.fromCharCode(byte);
    if (PLAIN.test(sign)) quoted += sign;
    else if (ESCAPED.has(sign)) quoted += `\\${sign}`;
    else quoted += `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return quoted;
}
