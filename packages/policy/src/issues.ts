// What zod says about a document, in words of the document: what was found and what is accepted.
import type { z } from 'zod';
import { quote } from './paths.ts';
import { UNSUPPORTED_FIELDS } from './unsupported.ts';

export interface Place {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

export function describeIssue(issue: z.core.$ZodIssue): Place[] {
  const { path } = issue;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `${UNSUPPORTED_FIELDS.get(key) ?? 'unknown field'}; ${issue.message}`,
      }));
    case 'invalid_type':
      return [
        {
          path,
          message: `found ${found(issue.input)}; accepted: ${EXPECTED.get(issue.expected) ?? issue.expected}`,
        },
      ];
    case 'invalid_value':
      return [
        { path, message: `found ${found(issue.input)}; accepted: ${issue.values.map(String).join(', ')}` },
      ];
    case 'too_big':
      return [
        {
          path,
          message: `is too ${sizeWord(issue.origin, 'big')}; accepted: at most ${String(issue.maximum)}${unit(issue.origin)}`,
        },
      ];
    case 'too_small':
      return [
        {
          path,
          message: `is too ${sizeWord(issue.origin, 'small')}; accepted: at least ${String(issue.minimum)}${unit(issue.origin)}`,
        },
      ];
    case 'invalid_key':
      return issue.issues.map((inner) => ({ path, message: `as a name: ${inner.message}` }));
    default:
      return [{ path, message: issue.message }];
  }
}

const EXPECTED: ReadonlyMap<string, string> = new Map([
  ['string', 'a text (numbers and true or false in quotes)'],
  ['int', 'a whole number'],
  ['number', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'fields with values'],
  ['record', 'names with values'],
]);

function sizeWord(origin: string, size: 'big' | 'small'): string {
  if (origin === 'number' || origin === 'int') return size === 'big' ? 'large' : 'small';
  return size === 'big' ? 'long' : 'short';
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

function found(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'fields';
  return typeof value === 'string' ? quote(value) : JSON.stringify(value);
}
