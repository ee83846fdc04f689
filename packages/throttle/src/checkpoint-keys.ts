/** The two keys of a partition's checkpoint. The hash tag in braces keeps them on one slot of a Redis Cluster. */

/** The hash with a field per window. */
export function checkpointKey(group: string, topic: string, partition: number): string {
  return `throttle:{${group}/${topic}/${partition}}`;
}

/** The sorted set of containers throttled now; score: end of the interval in Unix seconds. */
export function throttledKey(group: string, topic: string, partition: number): string {
  return `${checkpointKey(group, topic, partition)}:throttled`;
}
