/**
 * Microseconds since the epoch as ISO 8601 UTC text with six decimals, as KubeArmor writes UpdatedTime, and back.
 * A checkpoint holds three times per window, most of them in the same few seconds: each way remembers its last second.
 */

const SECOND_IN_MICROS = 1_000_000;
const TEXT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/;
/** Length of `2026-11-23T07:02:11.`. */
const SECOND_LENGTH = 20;

const formatted = { second: 0, text: '1970-01-01T00:00:00.' };
const parsed = { text: '1970-01-01T00:00:00.', micros: 0 };

/** `2026-11-23T07:02:11.123456Z`. */
export function formatMicros(micros: number): string {
  const rest = micros % SECOND_IN_MICROS;
  const second = (micros - rest) / SECOND_IN_MICROS;
  if (second !== formatted.second) {
    formatted.text = new Date(second * 1000).toISOString().slice(0, SECOND_LENGTH);
    formatted.second = second;
  }
  // A seventh digit in front keeps the zeros, and costs less than padding.
  return `${formatted.text}${String(SECOND_IN_MICROS + rest).slice(1)}Z`;
}

/** The inverse of `formatMicros`; undefined for any other text. */
export function parseMicros(text: string): number | undefined {
  if (!TEXT.test(text)) return undefined;
  const second = text.slice(0, SECOND_LENGTH);
  if (second !== parsed.text) {
    const millis = Date.parse(`${text.slice(0, SECOND_LENGTH - 1)}Z`);
    if (Number.isNaN(millis)) return undefined;
    parsed.micros = millis * 1000;
    parsed.text = second;
  }
  return parsed.micros + Number(text.slice(SECOND_LENGTH, -1));
}
