/**
 * Writes src/generated/alert.ts from schemas/Alert.avsc: one interface per record, and the defaults.
 * Run by `npm run generate`; a unit test runs it again and compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface FieldSchema {
  name: string;
  type: TypeSchema;
  default?: unknown;
  doc?: string;
}
interface RecordSchema {
  type: 'record';
  name: string;
  doc?: string;
  fields: FieldSchema[];
}
/** The Avro that our own schema uses; anything else is an error here, not a wrong type there. */
export type TypeSchema =
  | string
  | RecordSchema
  | { type: 'array'; items: TypeSchema }
  | { type: 'map'; values: TypeSchema }
  | { type: 'long'; logicalType: 'timestamp-micros' }
  | TypeSchema[];

const PRIMITIVES: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  string: 'string',
};

/** TypeScript for a record schema and all the records in it. */
export function generateTypes(root: RecordSchema): string {
  const records = new Map<string, string>();

  function typeOf(schema: TypeSchema): string {
    if (typeof schema === 'string') {
      const type = PRIMITIVES[schema] ?? (records.has(schema) ? schema : undefined);
      if (type === undefined) throw new Error(`unknown Avro type ${schema}`);
      return type;
    }
    if (Array.isArray(schema)) {
      const branches = schema.map(typeOf);
      return [...branches.filter((branch) => branch !== 'null'), 'null'].join(' | ');
    }
    switch (schema.type) {
      case 'record':
        return recordOf(schema);
      case 'array':
        return `${typeOf(schema.items)}[]`;
      case 'map':
        return `Record<string, ${typeOf(schema.values)}>`;
      case 'long':
        return 'number';
    }
  }

  function recordOf(schema: RecordSchema): string {
    records.set(schema.name, '');
    const fields = schema.fields.map((field) => {
      const doc = field.doc === undefined ? '' : `  /** ${field.doc} */\n`;
      return `${doc}  ${field.name}: ${typeOf(field.type)};\n`;
    });
    const doc = schema.doc === undefined ? '' : `/** ${schema.doc} */\n`;
    records.set(schema.name, `${doc}export interface ${schema.name} {\n${fields.join('')}}\n`);
    return schema.name;
  }

  recordOf(root);
  const defaults = root.fields.map((field) => {
    if (field.default === undefined) throw new Error(`${field.name} has no default`);
    return `    ${field.name}: ${field.default === '' ? "''" : JSON.stringify(field.default)},\n`;
  });
  return [
    `// Generated from schemas/Alert.avsc by \`npm run generate\`; do not edit.\n`,
    ...records.values(),
    `/** A new ${root.name} with the schema's default in every field. */\n` +
      `export function default${root.name}(): ${root.name} {\n  return {\n${defaults.join('')}  };\n}\n`,
  ].join('\n');
}

const SCHEMA = new URL('../../../schemas/Alert.avsc', import.meta.url);
export const GENERATED = new URL('generated/alert.ts', import.meta.url);

/** The text that src/generated/alert.ts must have. */
export function generate(): string {
  return generateTypes(JSON.parse(readFileSync(SCHEMA, 'utf8')) as RecordSchema);
}

if (import.meta.main) writeFileSync(GENERATED, generate());
