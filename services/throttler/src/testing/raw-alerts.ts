// Records of the raw topic as a producer writes them, for tests without a registry.

import { type Alert, AlertWriter, containerKey, makeAlert, releasedSchemas } from '@alert-throttle/alert';

import type { NewRecord } from './memory-log.ts';

/** A real time of day, so that the numbers have their real size. */
export const START_MS = 1_795_417_331_000;

const writer = new AlertWriter(releasedSchemas.at(-1)?.version ?? 0);

/** Eligible for throttling; when it happened is unknown, so that its time is the partition's. */
export function auditAlert(fields: Partial<Alert> = {}): Alert {
  return makeAlert({
    ContainerID: 'c1',
    NodeID: 'n1',
    Type: 'MatchedPolicy',
    Operation: 'Process',
    Action: 'Audit',
    Enforcer: 'eBPF Monitor',
    NamespaceName: 'ns',
    PolicyName: 'p1',
    PodName: 'pod-1',
    Source: '/bin/sh',
    Resource: '/usr/bin/apt',
    ...fields,
  });
}

export function encoded(alert: Alert): Buffer {
  return writer.encode(alert);
}

export function alertRecord(appendMs: number, fields: Partial<Alert> = {}): NewRecord {
  const alert = auditAlert(fields);
  return { appendMs, key: Buffer.from(containerKey(alert)), value: encoded(alert) };
}

/** What a producer sends when a container was deleted. Its number, where it has one, stands in headers. */
export function tombstone(
  appendMs: number,
  key: string,
  identity: Partial<Pick<Alert, 'NodeID' | 'BootID' | 'Sequence'>> = {},
): NewRecord {
  const headers = Object.fromEntries(Object.entries(identity).map(([name, value]) => [name, String(value)]));
  const record = { appendMs, key: Buffer.from(key), value: null };
  return Object.keys(headers).length === 0 ? record : { ...record, headers };
}
