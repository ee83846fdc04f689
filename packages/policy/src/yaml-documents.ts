// YAML files as documents of plain data, each with the lines that its values stand on. What YAML can do beyond plain data
// is refused here: tags, keys that are no texts, aliases that multiply.
import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
  type ParsedNode,
} from 'yaml';

export const MAX_FILE_BYTES = 1024 * 1024;
export const MAX_DOCUMENTS = 256;
const MAX_ALIASES = 100;
/** A file that is no YAML at all has an error on every line of it. */
const MAX_PROBLEMS_OF_A_DOCUMENT = 20;

export interface YamlDocument {
  /** From 1, as people count. */
  readonly number: number;
  readonly data: unknown;
  /** The line of the value at `path`, or of what is nearest to it. */
  lineOf(path: readonly PropertyKey[]): number | undefined;
}

export interface YamlProblem {
  readonly document?: number;
  readonly line?: number;
  readonly message: string;
}

export interface YamlFile {
  readonly documents: readonly YamlDocument[];
  readonly problems: readonly YamlProblem[];
}

/** Documents without anything in them are left out, but counted. */
export function readYaml(text: string): YamlFile {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_FILE_BYTES) {
    return failed(`has ${bytes} bytes, more than ${MAX_FILE_BYTES}`);
  }
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    version: '1.2',
    schema: 'core',
    resolveKnownTags: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: 'error',
  });
  const all: Document.Parsed[] = 'empty' in parsed ? [] : parsed;
  if (all.length > MAX_DOCUMENTS) {
    return failed(`has ${all.length} documents, more than ${MAX_DOCUMENTS}`);
  }
  return readAll(all, lines);
}

function failed(message: string): YamlFile {
  return { documents: [], problems: [{ message }] };
}

function readAll(all: readonly Document.Parsed[], lines: LineCounter): YamlFile {
  const documents: YamlDocument[] = [];
  const problems: YamlProblem[] = [];
  for (const [i, document] of all.entries()) {
    const number = i + 1;
    const found = problemsOf(document, lines);
    const data = found.length === 0 ? plain(document, found) : undefined;
    problems.push(...found.map((problem) => ({ ...problem, document: number })));
    if (found.length > 0 || data === null) continue;
    documents.push({ number, data, lineOf: (path) => lineOf(document, lines, path) });
  }
  return { documents, problems };
}

function problemsOf(document: Document.Parsed, lines: LineCounter): YamlProblem[] {
  const problems: YamlProblem[] = [...document.errors, ...document.warnings]
    .slice(0, MAX_PROBLEMS_OF_A_DOCUMENT)
    .map(({ pos, message }) => ({
      line: lines.linePos(pos[0]).line,
      message: `is no plain YAML: ${message}`,
    }));
  visit(document, {
    Pair(_, { key }) {
      // Object keys of that name are dropped on the way by libraries, and a condition with them.
      if (!isScalar(key) || key.value !== '__proto__') return;
      problems.push({ ...at(lines, key.range?.[0]), message: 'a key cannot be named "__proto__"' });
    },
  });
  return problems;
}

function plain(document: Document.Parsed, problems: YamlProblem[]): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    problems.push({ message: `is no plain YAML: ${error instanceof Error ? error.message : String(error)}` });
    return undefined;
  }
}

function at(lines: LineCounter, offset: number | undefined): { line?: number } {
  return offset === undefined ? {} : { line: lines.linePos(offset).line };
}

function lineOf(
  document: Document.Parsed,
  lines: LineCounter,
  path: readonly PropertyKey[],
): number | undefined {
  let node: unknown = document.contents;
  let offset = offsetOf(node);
  for (const part of path) {
    const collection = isAlias(node) ? node.resolve(document) : node;
    const next: unknown = childOf(collection, part);
    if (next === undefined) break;
    node = isPair(next) ? next.value : next;
    offset = offsetOf(isPair(next) ? next.key : next) ?? offset;
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

function childOf(collection: unknown, part: PropertyKey): unknown {
  if (isSeq(collection) && typeof part === 'number') return collection.items[part];
  if (isMap(collection)) return collection.items.find(({ key }) => isScalar(key) && key.value === part);
  return undefined;
}

function offsetOf(node: unknown): number | undefined {
  return (node as ParsedNode | null | undefined)?.range[0];
}
