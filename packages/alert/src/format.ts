/** The alert as text for people: one "Key: value" line per field, in the order in which KubeArmor's own tools print it. */
import { defaultAlert, type Alert, type Lost, type NameCount, type Throttle } from './generated/alert.ts';

/** What a reader looks for first; the other fields follow by name, what the throttle adds comes last. */
const FIRST = [
  'ClusterName',
  'HostName',
  'NamespaceName',
  'PodName',
  'Labels',
  'ContainerName',
  'ContainerID',
  'ContainerImage',
  'Type',
  'PolicyName',
  'Severity',
  'Message',
  'Source',
  'Resource',
  'Operation',
  'Action',
  'Data',
  'Enforcer',
  'Result',
] as const satisfies readonly (keyof Alert)[];

const OWN_SECTION: ReadonlySet<string> = new Set(['Throttle', 'Lost']);
const FIRST_SET: ReadonlySet<string> = new Set(FIRST);
const REST = (Object.keys(defaultAlert()) as (keyof Alert)[])
  .filter((name) => !FIRST_SET.has(name) && !OWN_SECTION.has(name))
  .sort();

/** Zero says something in these two (root, no parent), so they are always printed. */
const ALWAYS: ReadonlySet<string> = new Set(['PPID', 'UID']);

type Value = Alert[keyof Alert] | Throttle[keyof Throttle] | Lost[keyof Lost];

/** What comes from inside a container must forge no line: no line breaks, terminal controls or turned writing direction. */
function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function isNameCounts(value: string[] | NameCount[]): value is NameCount[] {
  return typeof value[0] === 'object';
}

/** Go's %v of the value, which is what KubeArmor users know: [a b], map[k:v]. '' means: nothing to print. */
function render(value: Value): string {
  if (value === null || value === false) return '';
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return value === 0 ? '' : String(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return '';
    const items = isNameCounts(value) ? value.map(({ Name, Alerts }) => `${Name}:${Alerts}`) : value;
    return `[${items.join(' ')}]`;
  }
  const entries = Object.entries(value as Record<string, string | number>)
    .filter(([, item]) => item !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? '' : `map[${entries.map(([key, item]) => `${key}:${item}`).join(' ')}]`;
}

function line(name: string, value: Value): string[] {
  const rendered = render(value);
  const text = rendered === '' && ALWAYS.has(name) ? '0' : rendered;
  if (text === '') return [];
  const time = name.endsWith('Micros') ? isoTime(value as number) : '';
  return [`${name}: ${escapeControls(text)}${time}`];
}

/** The time of a field in microseconds, for the eye; nothing where a Date cannot hold it. */
function isoTime(micros: number): string {
  const date = new Date(Math.floor(micros / 1000));
  if (Number.isNaN(date.getTime())) return '';
  const fraction = String(((micros % 1_000_000) + 1_000_000) % 1_000_000).padStart(6, '0');
  return ` (${date.toISOString().replace(/\.\d+Z$/, '')}.${fraction}Z)`;
}

function section(fields: Throttle | Lost | null): string[] {
  return fields === null
    ? []
    : Object.entries(fields as unknown as Record<string, Value>).flatMap(([name, value]) =>
        line(name, value),
      );
}

/** Lines of text without a last line break. Empty fields are left out, except PPID and UID. */
export function formatAlert(alert: Alert): string {
  return [
    ...[...FIRST, ...REST].flatMap((name) => line(name, alert[name])),
    ...section(alert.Throttle),
    ...section(alert.Lost),
  ].join('\n');
}
