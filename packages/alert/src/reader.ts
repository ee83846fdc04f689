/**
 * Reads records of one writer schema: the leading fields alone (hot path), or the whole alert in the newest schema.
 * Both first prove that the bytes are complete, so whatever `leading` accepts, `decode` accepts too.
 */
import type { Type, types } from 'avsc';
import { containerKey, type LeadingFields } from './alert.ts';
import { AlertFormatError } from './errors.ts';
import type { Alert } from './generated/alert.ts';
import { RunCache } from './run-cache.ts';
import { Scanner, TEXTS } from './scanner.ts';
import { alertType, fieldsOf } from './schemas.ts';
import { compileSteps, joinSteps, type Step } from './steps.ts';
import { schemaIdOf, WIRE_HEADER_BYTES } from './wire.ts';

type Resolver = ReturnType<Type['createResolver']>;
type Field = types.Field;

export interface AlertReader {
  /**
   * The leading fields of the value from `from` to `to`, after checking that the rest is all there: one object, good
   * until the next call. Throws AlertFormatError.
   */
  leading(bytes: Buffer, from?: number, to?: number): LeadingFields;
  /** Whether the bytes from `from` to `to` are the key of the alert whose leading fields were read last. */
  hasKey(bytes: Buffer, from: number, to: number): boolean;
  /** The whole alert, resolved to the newest schema. Throws AlertFormatError. */
  decode(value: Buffer): Alert;
}

const STRINGS = [
  'ContainerID',
  'NodeID',
  'BootID',
  'Type',
  'Operation',
  'Action',
  'Enforcer',
  'NamespaceName',
  'PolicyName',
  'Severity',
] as const satisfies readonly (keyof LeadingFields)[];
const LONGS = ['Sequence', 'EventTimeMicros'] as const satisfies readonly (keyof LeadingFields)[];

/** Fields that our newest schema has: what it does not have is stepped over, whatever it holds. */
const NEWEST_FIELDS: ReadonlySet<string> = new Set(fieldsOf(alertType)?.map(({ name }) => name));

/** Of these there are too many different ones to be kept together with others. */
const MANY = STRINGS.indexOf('ContainerID');

/** By the number of strings in a run: shared by all readers, since there may be one for each of any number of schemas. */
const RUNS = new Map<number, RunCache>();

function runsOf(count: number): RunCache {
  const runs = RUNS.get(count) ?? new RunCache(count, TEXTS);
  RUNS.set(count, runs);
  return runs;
}

/** What to do next in the bytes: read leading fields, or step over others. */
interface Slot {
  readonly kind: 'string' | 'strings' | 'int' | 'long' | 'skip';
  /** Where the values of strings that follow each other go: their places in STRINGS. */
  readonly strings: number[];
  /** Where a string by itself or a number goes: its place in STRINGS or LONGS. */
  readonly index: number;
  readonly steps: readonly Step[];
}

/** The writer's fields as slots up to the last leading one, and as steps after it; undefined if a type is not plain. */
function compileSlots(fields: readonly Field[]): { slots: Slot[]; rest: Step[] } | undefined {
  const slots: Slot[] = [];
  let skipped: Step[] = [];
  for (const { name, type } of fields) {
    const stringIndex = STRINGS.findIndex((leading) => leading === name);
    const longIndex = LONGS.findIndex((leading) => leading === name);
    if (stringIndex < 0 && longIndex < 0) {
      skipped.push(...compileSteps(type, NEWEST_FIELDS.has(name)));
      continue;
    }
    if (skipped.length > 0) {
      slots.push({ kind: 'skip', strings: [], index: -1, steps: joinSteps(skipped) });
      skipped = [];
    }
    const { typeName } = type;
    const before = slots.at(-1);
    if (stringIndex >= 0 && (typeName === 'string' || typeName === 'bytes')) {
      if (stringIndex === MANY) slots.push({ kind: 'string', strings: [], index: MANY, steps: [] });
      else if (before?.kind === 'strings') before.strings.push(stringIndex);
      else slots.push({ kind: 'strings', strings: [stringIndex], index: -1, steps: [] });
    } else if (longIndex >= 0 && (typeName === 'int' || typeName === 'long')) {
      slots.push({ kind: typeName, strings: [], index: longIndex, steps: [] });
    } else {
      return undefined;
    }
  }
  return { slots, rest: joinSteps(skipped) };
}

/** Strings that follow each other, as they were read last. */
interface Strings {
  readonly places: readonly number[];
  readonly cache: RunCache;
  latest: readonly string[] | undefined;
}

class CompiledReader implements AlertReader {
  readonly #scanner = new Scanner();
  readonly #all: readonly Step[];
  readonly #slots: readonly (Slot & { readonly run: Strings })[] | undefined;
  readonly #rest: readonly Step[];
  readonly #resolver: Resolver | undefined;
  readonly #strings: string[] = STRINGS.map(() => '');
  readonly #longs: number[] = LONGS.map(() => 0);
  /** Whether strings were read that the leading fields do not have yet. */
  #changed = false;
  readonly #leading: LeadingFields = {
    ContainerID: '',
    NodeID: '',
    BootID: '',
    Sequence: 0,
    EventTimeMicros: 0,
    Type: '',
    Operation: '',
    Action: '',
    Enforcer: '',
    NamespaceName: '',
    PolicyName: '',
    Severity: '',
  };

  constructor(writer: Type) {
    const fields = fieldsOf(writer);
    if (fields === undefined) throw notAnAlert(`it is of type ${writer.typeName}`);
    this.#all = joinSteps(fields.flatMap(({ name, type }) => compileSteps(type, NEWEST_FIELDS.has(name))));
    const compiled = compileSlots(fields);
    this.#slots = compiled?.slots.map((slot) => {
      const { strings } = slot;
      return { ...slot, run: { places: strings, cache: runsOf(strings.length), latest: undefined } };
    });
    this.#rest = compiled?.rest ?? [];
    this.#resolver = resolverFor(writer);
  }

  leading(bytes: Buffer, from = 0, to = bytes.length): LeadingFields {
    if (this.#slots === undefined) return this.#leadingOf(this.decode(bytes.subarray(from, to)));
    const scanner = this.#start(bytes, from, to);
    for (const { kind, index, steps, run } of this.#slots) {
      switch (kind) {
        case 'string':
          this.#readString(scanner, index);
          break;
        case 'strings':
          this.#readStrings(scanner, run);
          break;
        case 'long':
          this.#longs[index] = scanner.readLong();
          break;
        case 'int':
          this.#longs[index] = scanner.readInt();
          break;
        case 'skip':
          scanner.skip(steps);
      }
    }
    scanner.skip(this.#rest);
    scanner.finish();
    return this.#take();
  }

  hasKey(bytes: Buffer, from: number, to: number): boolean {
    return isText(bytes, from, to, containerKey(this.#leading));
  }

  #readString(scanner: Scanner, index: number): void {
    const text = scanner.readString();
    if (text === this.#strings[index]) return;
    this.#strings[index] = text;
    this.#changed = true;
  }

  /** Most records have the same as the one before, or as another not long ago. */
  #readStrings(scanner: Scanner, run: Strings): void {
    const read = scanner.readRun(run.cache);
    if (read !== undefined && read === run.latest) return;
    run.latest = read;
    this.#changed = true;
    const { places } = run;
    for (let n = 0; n < places.length; n++) {
      this.#strings[places[n] as number] = read === undefined ? scanner.readString() : (read[n] as string);
    }
  }

  decode(value: Buffer): Alert {
    const scanner = this.#start(value, 0, value.length);
    scanner.skip(this.#all);
    scanner.finish();
    const forbidden = 'the record holds a value that its schema does not allow';
    let alert: Alert | undefined;
    try {
      alert = alertType.decode(value, WIRE_HEADER_BYTES, this.#resolver).value as Alert | undefined;
    } catch (error) {
      throw new AlertFormatError('MALFORMED', forbidden, { cause: error });
    }
    // avsc passes over foreign arrays by the size that they state, and runs out of bytes where that is a lie.
    if (alert === undefined) throw new AlertFormatError('MALFORMED', forbidden);
    return alert;
  }

  /** For writers whose leading fields are not plain, such as unions. */
  #leadingOf(alert: Alert): LeadingFields {
    STRINGS.forEach((name, index) => (this.#strings[index] = alert[name]));
    LONGS.forEach((name, index) => (this.#longs[index] = alert[name]));
    this.#changed = true;
    return this.#take();
  }

  #start(bytes: Buffer, from: number, to: number): Scanner {
    schemaIdOf(bytes, from, to);
    this.#scanner.reset(bytes, from + WIRE_HEADER_BYTES, to);
    return this.#scanner;
  }

  #take(): LeadingFields {
    const strings = this.#strings;
    const longs = this.#longs;
    const leading = this.#leading;
    leading.Sequence = longs[0] as number;
    leading.EventTimeMicros = longs[1] as number;
    if (!this.#changed) return leading;
    this.#changed = false;
    leading.ContainerID = strings[0] as string;
    leading.NodeID = strings[1] as string;
    leading.BootID = strings[2] as string;
    leading.Type = strings[3] as string;
    leading.Operation = strings[4] as string;
    leading.Action = strings[5] as string;
    leading.Enforcer = strings[6] as string;
    leading.NamespaceName = strings[7] as string;
    leading.PolicyName = strings[8] as string;
    leading.Severity = strings[9] as string;
    return leading;
  }
}

/** Whether the bytes from `from` to `to` are that text; almost always ASCII, where no string need be made of them. */
function isText(bytes: Buffer, from: number, to: number, text: string): boolean {
  const { length } = text;
  if (to - from !== length) return bytes.toString('utf8', from, to) === text;
  for (let at = 0; at < length; at++) {
    const byte = bytes[from + at] as number;
    if (byte !== text.charCodeAt(at) || byte > 0x7f) return bytes.toString('utf8', from, to) === text;
  }
  return true;
}

/** How avsc turns this writer's records into ours; none needed where both are the same schema. */
function resolverFor(writer: Type): Resolver | undefined {
  if (writer.equals(alertType)) return undefined;
  try {
    return alertType.createResolver(writer);
  } catch (error) {
    throw new AlertFormatError('NOT_AN_ALERT_SCHEMA', 'the schema cannot be read as an Alert', {
      cause: error,
    });
  }
}

function notAnAlert(what: string): AlertFormatError {
  return new AlertFormatError('NOT_AN_ALERT_SCHEMA', `the schema cannot be read as an Alert: ${what}`);
}

/** Throws NOT_AN_ALERT_SCHEMA if records of this schema cannot be read as alerts. */
export function createReader(writer: Type): AlertReader {
  return new CompiledReader(writer);
}
