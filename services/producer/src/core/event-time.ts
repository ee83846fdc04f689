// When an alert happened, from what KubeArmor says: `UpdatedTime`, RFC 3339 with microseconds, and `Timestamp`, seconds.

const SECOND_IN_MICROS = 1_000_000;

/** The last whole second that Avro's long still takes as a JavaScript number (year 2255). */
const MAX_MICROS = Math.floor(Number.MAX_SAFE_INTEGER / SECOND_IN_MICROS) * SECOND_IN_MICROS;

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):?(\d\d))$/;

/**
 * Microseconds since the epoch; finer fractions are cut off. `undefined` where the text is no such time.
 * A time that a JavaScript number cannot hold is the last one that it can: it is far in the future all the same.
 */
export function parseRfc3339Micros(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour, offsetMinute] = match;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const midnightMs = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const date = new Date(midnightMs);
  // Date.UTC takes 30 February as 2 March, and the years 0 to 99 as those of the last century.
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() + 1 !== Number(month)) return undefined;
  if (Number(year) < 100) return undefined;
  const seconds = midnightMs / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  const offsetSeconds =
    sign === undefined
      ? 0
      : (Number(offsetHour) * 3600 + Number(offsetMinute) * 60) * (sign === '-' ? -1 : 1);
  const micros = Number(fraction.padEnd(6, '0').slice(0, 6));
  return Math.min((seconds - offsetSeconds) * SECOND_IN_MICROS + micros, MAX_MICROS);
}

/** `2026-11-23T07:02:11.123456Z`, as KubeArmor writes `UpdatedTime`. */
export function formatMicros(micros: number): string {
  const seconds = Math.floor(micros / SECOND_IN_MICROS);
  const fraction = micros - seconds * SECOND_IN_MICROS;
  const text = new Date(seconds * 1000).toISOString();
  return `${text.slice(0, -5)}.${String(fraction).padStart(6, '0')}Z`;
}

/**
 * `UpdatedTime` if it was there and read, else `Timestamp`, as microseconds; undefined where there is neither.
 * Zero and below is how Go's JSON says that there is no time.
 */
export function eventTime(updatedMicros: number | undefined, timestampSeconds: number): number | undefined {
  if (updatedMicros !== undefined && updatedMicros > 0) return updatedMicros;
  if (timestampSeconds <= 0) return undefined;
  return Math.min(timestampSeconds * SECOND_IN_MICROS, MAX_MICROS);
}

/** Whole seconds of a time in microseconds. */
export function secondsOf(micros: number): number {
  return Math.floor(micros / SECOND_IN_MICROS);
}
