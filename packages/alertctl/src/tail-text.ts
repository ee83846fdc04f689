// How `alertctl tail` shows a record: a line for an alert, a block for what the throttler says, or a JSON line.
import { formatAlert, type Alert } from '@alert-throttle/alert';
import { plain, shortContainer, utc } from './text.ts';

/** A record of the throttled topic, decoded as far as it can be. */
export interface TailRecord {
  readonly partition: number;
  readonly offset: string;
  readonly appendedAtMs: number;
  readonly key: string | undefined;
  readonly content: TailContent;
}

export type TailContent =
  | { readonly kind: 'alert'; readonly alert: Alert }
  | { readonly kind: 'containerDeleted' }
  | { readonly kind: 'undecodable'; readonly code: string; readonly reason: string; readonly bytes: number };

export interface TailFilter {
  /** Beginning of a container id, or of the key of a host (`host:<NodeID>`). */
  readonly container?: string;
  readonly operation?: string;
}

export function matches({ key, content }: TailRecord, { container, operation }: TailFilter): boolean {
  const id =
    content.kind === 'alert' && content.alert.ContainerID !== '' ? content.alert.ContainerID : (key ?? '');
  if (container !== undefined && !id.startsWith(container)) return false;
  if (operation === undefined) return true;
  return content.kind === 'alert' && content.alert.Operation.toLowerCase() === operation.toLowerCase();
}

/** What is said in full: it is what the throttled topic is for. */
const BLOCKS: ReadonlySet<string> = new Set(['AlertThreshold', 'AlertThresholdEnded', 'AlertsLost']);

export function recordText(record: TailRecord): string {
  const { content, appendedAtMs, key = '' } = record;
  const at = utc(appendedAtMs * 1_000);
  switch (content.kind) {
    case 'containerDeleted':
      return `${at}  ${plain(shortContainer(key))}  container deleted`;
    case 'undecodable':
      return `${at}  ${where(record)}  NOT READABLE (${content.code}, ${content.bytes} bytes): ${plain(content.reason)}`;
    case 'alert':
      return BLOCKS.has(content.alert.Operation) ? block(record, content.alert) : line(content.alert, at);
  }
}

function where({ partition, offset }: TailRecord): string {
  return `partition ${partition} offset ${offset}`;
}

function block(record: TailRecord, alert: Alert): string {
  return ['', `--- ${alert.Operation} (${where(record)})`, formatAlert(alert), ''].join('\n');
}

function line(alert: Alert, appended: string): string {
  const at = alert.EventTimeMicros > 0 ? utc(alert.EventTimeMicros) : appended;
  const parts = [
    at,
    podOf(alert),
    alert.Operation,
    alert.Action,
    alert.PolicyName,
    alert.Source,
    alert.Resource,
  ];
  return parts
    .filter((part) => part !== '')
    .map(plain)
    .join('  ');
}

function podOf(alert: Alert): string {
  const pod = alert.PodName === '' ? alert.HostName : `${alert.NamespaceName}/${alert.PodName}`;
  const name = alert.ContainerName === '' ? shortContainer(alert.ContainerID) : alert.ContainerName;
  return name === '' ? pod : `${pod} (${name})`;
}

export function recordJson({ partition, offset, appendedAtMs, key, content }: TailRecord): string {
  const place = { partition, offset, appendedAt: new Date(appendedAtMs).toISOString(), key: key ?? null };
  switch (content.kind) {
    case 'alert':
      return JSON.stringify({ ...place, alert: content.alert });
    case 'containerDeleted':
      return JSON.stringify({ ...place, containerDeleted: true });
    case 'undecodable':
      return JSON.stringify({
        ...place,
        undecodable: { code: content.code, reason: content.reason, bytes: content.bytes },
      });
  }
}
