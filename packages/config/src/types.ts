// The value types of settings: each takes what a file holds (typed) and what the environment holds (text),
// and its description says what is accepted, in the words of the error message.
import { z } from 'zod';

/** A whole number. Text is accepted where it is one, since a ConfigMap and the environment hold only text. */
export function integer(min: number, max: number): z.ZodType<number> {
  return z
    .preprocess(
      (value) => (typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value.trim()) ? Number(value) : value),
      z.number().int().min(min).max(max),
    )
    .describe(`a whole number from ${min} to ${max}`);
}

const TRUE_WORDS = ['true', 'yes', 'on', '1'];
const FALSE_WORDS = ['false', 'no', 'off', '0'];

export function bool(): z.ZodType<boolean> {
  return z
    .preprocess((value) => {
      if (typeof value !== 'string') return value;
      const word = value.trim().toLowerCase();
      if (TRUE_WORDS.includes(word)) return true;
      return FALSE_WORDS.includes(word) ? false : value;
    }, z.boolean())
    .describe('true or false');
}

export function oneOf<const T extends string>(...values: readonly [T, ...T[]]): z.ZodType<T> {
  return z
    .preprocess((value) => (typeof value === 'string' ? value.trim().toLowerCase() : value), z.enum(values))
    .describe(`one of ${values.join(', ')}`);
}

/** Text that is not empty; numbers and booleans of a YAML file count as their text. */
export function text(what = 'text'): z.ZodType<string> {
  return z.preprocess(scalarToText, z.string().min(1)).describe(what);
}

/** A text that matches a pattern. */
export function pattern(expression: RegExp, what: string): z.ZodType<string> {
  return z.preprocess(scalarToText, z.string().regex(expression)).describe(what);
}

/** An absolute URL with one of the given schemes; a slash at its end is dropped. */
export function url(...schemes: readonly string[]): z.ZodType<string> {
  return z
    .string()
    .trim()
    .refine((value) => isUrl(value, schemes))
    .transform((value) => value.replace(/\/+$/, ''))
    .describe(`a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
}

/** `host:port` addresses: a list, or text with commas between them. */
export function addresses(): z.ZodType<string[]> {
  return z
    .preprocess(
      (value) => (typeof value === 'string' ? splitList(value) : value),
      z.array(z.string().refine(isAddress)).min(1).max(100),
    )
    .describe('addresses as host:port, with commas between them');
}

/** Names of topics as Kafka allows them. */
export function topicName(): z.ZodType<string> {
  return pattern(
    /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/,
    'a topic name (letters, digits, ".", "_", "-"; at most 249)',
  );
}

function splitList(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function isAddress(value: string): boolean {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:/@,]+):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  return port >= 1 && port <= 65535;
}

function isUrl(value: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(value)) return false;
  const parsed = new URL(value);
  return schemes.includes(parsed.protocol.slice(0, -1)) && parsed.hostname !== '';
}

function scalarToText(value: unknown): unknown {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
}
