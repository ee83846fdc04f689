// What the producer and its probing process say to each other: one line of JSON each way for each question.
import type { ProcessFacts } from './processes.ts';

export type Question =
  | { readonly kind: 'facts'; readonly pid: number }
  | {
      readonly kind: 'paths';
      readonly pid: number;
      readonly startedAt: number;
      readonly paths: readonly string[];
    };

export type Answer =
  | { readonly kind: 'facts'; readonly facts: ProcessFacts | undefined }
  | {
      readonly kind: 'paths';
      /** That process was there before and after. */
      readonly isThere: boolean;
      /** By path: where it leads; undefined: nothing is there. */
      readonly targets: ReadonlyMap<string, string | undefined>;
      /** By path: the error that it ended with. */
      readonly errors: ReadonlyMap<string, string>;
    };

/** The first line: from now on it answers. */
export const READY = 'ready';

export function encode(message: Question | Answer): string {
  return `${JSON.stringify(message, plain)}\n`;
}

export function decodeQuestion(line: string): Question {
  return JSON.parse(line) as Question;
}

export function decodeAnswer(line: string): Answer {
  return JSON.parse(line, revived) as Answer;
}

/** JSON knows neither large integers nor maps. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return { bigint: String(value) };
  if (value instanceof Map)
    return { entries: [...(value as Map<string, unknown>)].map(([key, one]) => [key, one ?? null]) };
  return value;
}

function revived(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  if ('bigint' in value) return BigInt(String(value.bigint));
  if ('entries' in value)
    return new Map((value.entries as [string, unknown][]).map(([key, one]) => [key, one ?? undefined]));
  return value;
}
