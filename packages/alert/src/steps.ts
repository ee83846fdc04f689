/**
 * A writer schema as steps for the scanner: what lies in the bytes, without what it means.
 * Equal neighbours share one step, so that most of an alert is a few tight loops.
 */
import avro, { type Type } from 'avsc';
import { AlertFormatError } from './errors.ts';

/** What a step does. Plain numbers: the scanner switches on them for every record. */
export const STEP = {
  /** bytes or string: a length, then so many bytes */
  bytes: 0,
  /** a varint of at most 32 bits */
  int: 1,
  /** a varint that a JavaScript number holds exactly */
  long: 2,
  /** a varint of at most 64 bits that nobody reads */
  varint: 3,
  /** `size` bytes */
  fixed: 4,
  /** an index into `branches`, then that branch */
  union: 5,
  /** blocks of `items`; a map's item is a key and a value */
  blocks: 6,
} as const;

/** `count` times the same. All steps have all fields: one object shape keeps the scanner's loop fast. */
export interface Step {
  readonly op: (typeof STEP)[keyof typeof STEP];
  readonly count: number;
  readonly size: number;
  readonly branches: readonly (readonly Step[])[];
  readonly items: readonly Step[];
}

function step(op: Step['op'], fields: Partial<Step> = {}): Step {
  return { op, count: 1, size: 0, branches: [], items: [], ...fields };
}

/**
 * Steps over one value of `type`. `read`: our schema has this field, so its longs must fit a JavaScript number.
 * Throws NOT_AN_ALERT_SCHEMA for what could not be bounded: a type that contains itself, an array of nothing.
 */
export function compileSteps(type: Type, read: boolean, open: readonly Type[] = []): Step[] {
  if (open.includes(type)) throw notAnAlert(`the schema's type ${type.name ?? ''} contains itself`);
  const inner = (child: Type) => compileSteps(child, read, [...open, type]);
  const { types } = avro;

  if (type instanceof types.RecordType) return joinSteps(type.fields.flatMap((field) => inner(field.type)));
  if (type instanceof types.UnwrappedUnionType || type instanceof types.WrappedUnionType) {
    return [step(STEP.union, { branches: type.types.map(inner) })];
  }
  if (type instanceof types.ArrayType) return [blocks(inner(type.itemsType))];
  if (type instanceof types.MapType) return [blocks([step(STEP.bytes), ...inner(type.valuesType as Type)])];
  if (type instanceof types.FixedType) return [step(STEP.fixed, { size: type.size })];
  switch (type.typeName) {
    case 'null':
      return [];
    case 'boolean':
      return [step(STEP.fixed, { size: 1 })];
    case 'int':
      return [step(STEP.int)];
    case 'long':
      return [step(read ? STEP.long : STEP.varint)];
    case 'enum':
      return [step(STEP.varint)];
    case 'float':
      return [step(STEP.fixed, { size: 4 })];
    case 'double':
      return [step(STEP.fixed, { size: 8 })];
    case 'bytes':
    case 'string':
      return [step(STEP.bytes)];
    default:
      throw notAnAlert(`the schema has a type ${type.typeName}`);
  }
}

function blocks(items: readonly Step[]): Step {
  if (items.every(({ op, size }) => op === STEP.fixed && size === 0)) {
    throw notAnAlert('the schema has an array whose items take no bytes');
  }
  return step(STEP.blocks, { items: joinSteps(items) });
}

/** Joins equal neighbours into one step. */
export function joinSteps(steps: readonly Step[]): Step[] {
  const joined: Step[] = [];
  for (const next of steps) {
    const last = joined.at(-1);
    if (last?.op === next.op && last.size === next.size && next.op < STEP.union) {
      joined[joined.length - 1] = { ...last, count: last.count + next.count };
    } else {
      joined.push(next);
    }
  }
  return joined;
}

function notAnAlert(message: string): AlertFormatError {
  return new AlertFormatError('NOT_AN_ALERT_SCHEMA', message);
}
