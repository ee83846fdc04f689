// Medians and percentiles: single figures of a shared machine say little.

/** `sorted` ascending; `share` 0.5 is the median. 0 where there is nothing. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
