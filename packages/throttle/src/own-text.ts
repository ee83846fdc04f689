/** Texts that stay for long, without the longer ones that they were cut from. */

/** Longer keys than any container's or host's are kept as they come. */
const MAX_OWN_TEXT = 1024;

const units: number[] = [];

/** The same text, which V8 does not keep as a piece of a longer one: the key of a window may stay for long. */
export function ownText(text: string): string {
  if (text.length > MAX_OWN_TEXT) return text;
  units.length = text.length;
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
  return String.fromCharCode(...units);
}
