// One JSON object as KubeArmor writes it becomes one alert, one tombstone, or the reason why it is neither.
// Nothing in the object makes it throw.
import { makeAlert, type Alert } from '@alert-throttle/alert';
import { emptyMap, Misfit, textOf, type FieldTable } from './alert-fields.ts';
import { describeValue, refuse, type Refusal } from './dead-letters.ts';
import { eventTime, parseRfc3339Micros, secondsOf } from './event-time.ts';

export interface MapContext {
  readonly fields: FieldTable;
  /** For alerts that do not say where they come from. */
  readonly nodeId: string;
  readonly nowMicros: () => number;
}

export interface MappedAlert {
  readonly kind: 'alert';
  readonly alert: Alert;
  /** Fields that the schema has not, kept in EventData. */
  readonly unknownFields: number;
  /** Fields that the schema has not, and that did not fit into EventData. */
  readonly droppedFields: number;
  /** It says nowhere when it happened. */
  readonly guessedTime: boolean;
}

/** A container is gone: its window is to be forgotten. */
export interface MappedTombstone {
  readonly kind: 'tombstone';
  readonly containerId: string;
  readonly nodeId: string;
}

export interface Refused extends Refusal {
  readonly kind: 'refused';
}

export type Mapped = MappedAlert | MappedTombstone | Refused;

/** Telemetry, which KubeArmor sends as another message; it is never throttled and no alert. */
const TELEMETRY: ReadonlySet<string> = new Set(['ContainerLog', 'HostLog', 'SystemLog']);

const CONTAINER_DELETED = 'ContainerDeleted';

/** Bounds for what is kept of the fields of one alert that the schema has not. */
export const MAX_UNKNOWN_FIELDS = 64;
export const MAX_UNKNOWN_CHARACTERS = 16 * 1024;

export function mapAlert(json: unknown, context: MapContext): Mapped {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return refused('not-an-object', `expected a JSON object, found ${describeValue(json)}`);
  const object = json as Readonly<Record<string, unknown>>;
  const read = readFields(object, context.fields);
  if (read instanceof Misfit) return refused('wrong-field-type', read.problem);
  const { alert } = read;
  if (alert.NodeID === '') alert.NodeID = context.nodeId;
  if (alert.Operation === CONTAINER_DELETED) return tombstone(alert);
  const problem = whyNoAlert(alert);
  if (problem !== undefined) return refused('not-an-alert', problem);

  const guessedTime = stamp(alert, context.nowMicros);
  const kept = keepUnknown(object, read.unknown, alert.EventData);
  return {
    kind: 'alert',
    alert,
    unknownFields: kept,
    droppedFields: read.unknown.length - kept,
    guessedTime,
  };
}

function refused(...refusal: Parameters<typeof refuse>): Refused {
  return { kind: 'refused', ...refuse(...refusal) };
}

function tombstone(alert: Alert): Mapped {
  if (alert.ContainerID === '') return refused('not-an-alert', `${CONTAINER_DELETED} without a ContainerID`);
  return { kind: 'tombstone', containerId: alert.ContainerID, nodeId: alert.NodeID };
}

function whyNoAlert({ Type: type, Operation: operation }: Alert): string | undefined {
  if (type === '') return 'it has no Type';
  if (TELEMETRY.has(type)) return `it is telemetry (Type ${type})`;
  return operation === '' ? 'it has no Operation' : undefined;
}

interface FieldsRead {
  readonly alert: Alert;
  /** Names as they stand in the object. */
  readonly unknown: readonly string[];
}

/**
 * A field that is null counts as missing, as in Go. Where a field is there in two spellings, the first one counts and
 * the other is unknown.
 */
function readFields(object: Readonly<Record<string, unknown>>, fields: FieldTable): FieldsRead | Misfit {
  const alert = makeAlert();
  alert.EventData = emptyMap();
  const target = alert as unknown as Record<string, unknown>;
  const seen = new Uint8Array(fields.size);
  const unknown: string[] = [];
  for (const name of Object.keys(object)) {
    const value = object[name];
    if (value === null) continue;
    const field = fields.find(name);
    if (field === undefined || seen[field.index] === 1) {
      unknown.push(name);
      continue;
    }
    seen[field.index] = 1;
    const read = field.read(value);
    if (read instanceof Misfit) return new Misfit(`${name}: ${read.problem}`);
    if (read !== undefined) target[field.name] = read;
  }
  return { alert, unknown };
}

/** Fills in the times; true where the event's own had to be guessed. */
function stamp(alert: Alert, nowMicros: () => number): boolean {
  const updated = alert.UpdatedTime === '' ? undefined : parseRfc3339Micros(alert.UpdatedTime);
  const time = eventTime(updated, alert.Timestamp);
  alert.EventTimeMicros = time ?? nowMicros();
  if (alert.Timestamp === 0 && time !== undefined) alert.Timestamp = secondsOf(time);
  return time === undefined;
}

/** Puts the unknown fields into the alert's EventData, as far as they fit; an entry that it has itself stays. */
function keepUnknown(
  object: Readonly<Record<string, unknown>>,
  unknown: readonly string[],
  eventData: Record<string, string>,
): number {
  let kept = 0;
  let room = MAX_UNKNOWN_CHARACTERS;
  for (const name of unknown) {
    if (kept === MAX_UNKNOWN_FIELDS) break;
    if (name in eventData) continue;
    const text = textOf(object[name]);
    const size = name.length + (text?.length ?? 0);
    if (text === undefined || size > room) continue;
    eventData[name] = text;
    room -= size;
    kept += 1;
  }
  return kept;
}
