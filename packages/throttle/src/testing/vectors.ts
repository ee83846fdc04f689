/** The conformance vectors as this package's tests read them. Their format is described in the file itself. */
import vectors from '../../../../schemas/throttle-vectors.json' with { type: 'json' };
import type { Limits } from '../limits.ts';

export interface WindowStep {
  readonly tMicros: number;
  readonly repeat?: number;
  readonly limits: Limits;
  readonly decision: string;
  readonly state: {
    readonly openedAtMicros: number;
    readonly passed: number;
    readonly throttledUntilMicros: number;
    readonly dropped: number;
  };
}

export interface PartitionStep {
  readonly do: string;
  readonly appendMs?: number;
  readonly eventTimeMicros?: number;
  readonly container?: string;
  readonly policy?: string;
  readonly operation?: string;
  readonly nodeID?: string;
  readonly bootID?: string;
  readonly sequence?: number;
  readonly toMicros?: number;
  readonly limits?: Limits;
  readonly decision?: string;
  readonly events: readonly object[];
}

interface Vector<Step> {
  readonly name: string;
  readonly why: string;
  readonly steps: readonly Step[];
}

export const windowVectors: readonly Vector<WindowStep>[] = vectors.window;
export const partitionVectors: readonly (Vector<PartitionStep> & { readonly limits: Limits })[] =
  vectors.partition;
