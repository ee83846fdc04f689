// From the names and types that KubeArmor's JSON has to the fields of an alert.
//
// KubeArmor writes two spellings: the protobuf's own names (`HostPPID`, `PolicyName`) and those of its log file
// (`hostPPid`, `policyName`). They differ in case only, and Go's encoding/json, which both come from, reads names
// without regard to case. So does this table. It is made from the Avro schema: a field that is added there is read here.
import type { Alert } from '@alert-throttle/alert';
import { describeValue } from './dead-letters.ts';

/** As much of an Avro record schema as the table is made from. */
export interface RecordSchema {
  readonly fields: readonly { readonly name: string; readonly type: unknown }[];
}

/** A JSON value that a field cannot take. */
export class Misfit {
  readonly problem: string;
  constructor(problem: string) {
    this.problem = problem;
  }
}

/** The field's value for a JSON value that is not null; undefined leaves the field as it is. */
type Reader = (value: unknown) => unknown;

export interface AlertField {
  readonly name: keyof Alert;
  /** Place in the table, from 0. */
  readonly index: number;
  readonly read: Reader;
}

export interface FieldTable {
  readonly size: number;
  find(name: string): AlertField | undefined;
}

/** What this program itself puts into an alert: in the input these are unknown fields, as nobody could trust them. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'BootID',
  'Sequence',
  'EventTimeMicros',
  'Throttle',
  'Lost',
]);

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const WHOLE_NUMBER = /^-?(?:0|[1-9]\d{0,15})$/;

/** Names of any input that are looked up once without regard to case; beyond that, each time. */
const MAX_CACHED_NAMES = 1_000;

export function fieldTable(schema: RecordSchema): FieldTable {
  const byLowerCase = new Map<string, AlertField>();
  for (const { name, type } of schema.fields) {
    if (OWN_FIELDS.has(name)) continue;
    const field = { name: name as keyof Alert, index: byLowerCase.size, read: readerOf(type) };
    byLowerCase.set(name.toLowerCase(), field);
  }
  const seen = new Map<string, AlertField | undefined>();
  return {
    size: byLowerCase.size,
    find(name) {
      const known = seen.get(name);
      if (known !== undefined || seen.has(name)) return known;
      const field = byLowerCase.get(name.toLowerCase());
      if (seen.size < MAX_CACHED_NAMES) seen.set(name, field);
      return field;
    },
  };
}

function readerOf(type: unknown): Reader {
  if (type === 'string') return readString;
  if (type === 'int') return (value) => readInteger(value, INT32_MIN, INT32_MAX);
  if (type === 'long') return (value) => readInteger(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (isObject(type) && type['type'] === 'array' && type['items'] === 'string') return readStrings;
  if (isObject(type) && type['type'] === 'map' && type['values'] === 'string') return readMap;
  const record = recordIn(type);
  if (record) return readerOfRecord(record);
  throw new Error(`no way to read the Avro type ${JSON.stringify(type)} from JSON`);
}

function readString(value: unknown): string | Misfit {
  if (typeof value === 'string') return value;
  // A larger whole number has lost digits in JSON.parse already.
  if (typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value)))
    return String(value);
  return new Misfit(`expected text, found ${describeValue(value)}`);
}

function readInteger(value: unknown, min: number, max: number): number | Misfit {
  const number = typeof value === 'string' && WHOLE_NUMBER.test(value) ? Number(value) : value;
  // JSON has a -0; Avro has not.
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max)
    return number === 0 ? 0 : number;
  const bits = max === INT32_MAX ? 32 : 53;
  return new Misfit(`expected a whole number of ${bits} bits, found ${describeValue(value)}`);
}

function readStrings(value: unknown): string[] | Misfit {
  if (!Array.isArray(value)) return new Misfit(`expected a list of texts, found ${describeValue(value)}`);
  const texts: string[] = [];
  for (const item of value) {
    const text = readString(item);
    if (text instanceof Misfit) return new Misfit(`in the list: ${text.problem}`);
    texts.push(text);
  }
  return texts;
}

/** Values that are no text are kept as JSON: the map is for what has no field of its own. */
function readMap(value: unknown): Record<string, string> | Misfit {
  if (!isObject(value) || Array.isArray(value))
    return new Misfit(`expected an object, found ${describeValue(value)}`);
  const map = emptyMap();
  for (const [key, item] of Object.entries(value)) {
    const text = textOf(item);
    if (text !== undefined) map[key] = text;
  }
  return map;
}

/** A map that takes any key, `__proto__` too. */
export function emptyMap(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}

/** A JSON value as text: text as it is, anything else as JSON. Undefined for null, and for what is nested too deep. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (value === null) return undefined;
  try {
    return JSON.stringify(value);
  } catch (error) {
    // JSON.parse reads what is nested a million levels deep; JSON.stringify overflows the stack on it.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** All fields are text. One without any text is no record: KubeArmor's log file has an empty `execEvent` in every alert. */
function readerOfRecord(schema: RecordSchema): Reader {
  const names = new Map(schema.fields.map(({ name }) => [name.toLowerCase(), name]));
  const defaults = Object.fromEntries(schema.fields.map(({ name }) => [name, '']));
  return (value) => {
    if (!isObject(value) || Array.isArray(value))
      return new Misfit(`expected an object, found ${describeValue(value)}`);
    const record: Record<string, string> = { ...defaults };
    let empty = true;
    for (const [key, item] of Object.entries(value)) {
      const name = names.get(key.toLowerCase());
      if (name === undefined || item === null) continue;
      const text = readString(item);
      if (text instanceof Misfit) return new Misfit(`${name}: ${text.problem}`);
      record[name] = text;
      if (text !== '') empty = false;
    }
    return empty ? undefined : record;
  };
}

/** The record of a nullable record type, if all its fields are text. */
function recordIn(type: unknown): RecordSchema | undefined {
  const branches: unknown[] = Array.isArray(type) ? type : [type];
  const record = branches.find((branch) => isObject(branch) && branch['type'] === 'record');
  if (!isObject(record) || !Array.isArray(record['fields'])) return undefined;
  const fields = record['fields'] as RecordSchema['fields'];
  return fields.every((field) => field.type === 'string') ? { fields } : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
