/**
 * Reads records of one writer schema: the leading fields alone (hot path), or the whole alert in the newest schema.
 * Both first prove that the bytes are complete, so whatever `leading` accepts, `decode` accepts too.
 */
import type { Type, types } from 'avsc';
import type { LeadingFields } from './alert.ts';
import { AlertFormatError } from './errors.ts';
import type { Alert } from './generated/alert.ts';
import { Scanner } from './scanner.ts';
import { alertType, fieldsOf } from './schemas.ts';
import { compileSteps, joinSteps, type Step } from './steps.ts';
import { schemaIdOf, WIRE_HEADER_BYTES } from './wire.ts';

type Resolver = ReturnType<Type['createResolver']>;
type Field = types.Field;

export interface AlertReader {
  /**
   * The leading fields, after checking that the rest is all there: one object, good until the next call. Throws
   * AlertFormatError.
   */
  leading(value: Buffer): LeadingFields;
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

/** What to do next in the bytes: read a leading field, or step over others. */
interface Slot {
  readonly kind: 'string' | 'int' | 'long' | 'skip';
  /** Where a field's value goes: its place in STRINGS or LONGS. */
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
    if (skipped.length > 0) slots.push({ kind: 'skip', index: -1, steps: joinSteps(skipped) });
    skipped = [];
    const { typeName } = type;
    if (stringIndex >= 0 && (typeName === 'string' || typeName === 'bytes')) {
      slots.push({ kind: 'string', index: stringIndex, steps: [] });
    } else if (longIndex >= 0 && (typeName === 'int' || typeName === 'long')) {
      slots.push({ kind: typeName, index: longIndex, steps: [] });
    } else {
      return undefined;
    }
  }
  return { slots, rest: joinSteps(skipped) };
}

class CompiledReader implements AlertReader {
  readonly #scanner = new Scanner();
  readonly #all: readonly Step[];
  readonly #slots: readonly Slot[] | undefined;
  readonly #rest: readonly Step[];
  readonly #resolver: Resolver | undefined;
  readonly #strings: string[] = STRINGS.map(() => '');
  readonly #longs: number[] = LONGS.map(() => 0);
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
    this.#slots = compiled?.slots;
    this.#rest = compiled?.rest ?? [];
    this.#resolver = resolverFor(writer);
  }

  leading(value: Buffer): LeadingFields {
    if (this.#slots === undefined) return this.#leadingOf(this.decode(value));
    const scanner = this.#start(value);
    for (const { kind, index, steps } of this.#slots) {
      switch (kind) {
        case 'string':
          this.#strings[index] = scanner.readString();
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

  decode(value: Buffer): Alert {
    const scanner = this.#start(value);
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
    return this.#take();
  }

  #start(value: Buffer): Scanner {
    schemaIdOf(value);
    this.#scanner.reset(value, WIRE_HEADER_BYTES);
    return this.#scanner;
  }

  #take(): LeadingFields {
    const strings = this.#strings;
    const longs = this.#longs;
    const leading = this.#leading;
    leading.ContainerID = strings[0] as string;
    leading.NodeID = strings[1] as string;
    leading.BootID = strings[2] as string;
    leading.Sequence = longs[0] as number;
    leading.EventTimeMicros = longs[1] as number;
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
