// Numbers by which the kernel knows rules. They are made from what the rules say, so that a rule keeps its number through
// restarts and changes of other rules, and alerts that are still on their way name the right one.
import { createHash } from 'node:crypto';

/** The highest number of a rule; the next one stands for the posture in the events of the kernel. */
export const MAX_RULE_NUMBER = 0xfffffffe;

/** 1 to MAX_RULE_NUMBER. */
export type Digest = (content: string, attempt: number) => number;

/**
 * A number for each of the contents, in their order; no two are equal. Where two digests meet, the content that comes
 * first keeps it, and the other takes its next digest.
 */
export function ruleNumbers(contents: readonly string[], digest: Digest = sha256): number[] {
  const taken = new Set<number>();
  return contents.map((content) => {
    let attempt = 0;
    let number = digest(content, attempt);
    while (taken.has(number)) number = digest(content, ++attempt);
    taken.add(number);
    return number;
  });
}

function sha256(content: string, attempt: number): number {
  const bytes = createHash('sha256').update(`${attempt}\0${content}`).digest();
  return 1 + (bytes.readUInt32BE(0) % MAX_RULE_NUMBER);
}
