// Reads the YAML file of settings as a flat map. Messages give line and column, never the text of the file, since it may hold secrets.
import { readFileSync, statSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './errors.ts';

/** A file of settings is a page of text; anything larger is a mistake (a log, an image). */
export const MAX_FILE_BYTES = 1024 * 1024;

/** What the file says. Throws ConfigError where it cannot be read or is no YAML map. An empty file says nothing. */
export function readSettingsFile(path: string): ReadonlyMap<string, unknown> {
  return parseSettings(path, readText(path));
}

/** The text of a small UTF-8 file. Throws ConfigError that names the path. */
export function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES)
      throw problem(path, `${path}: ${size} bytes are too many for a file of settings`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw problem(path, `${path}: ${reasonOf(error)}`, error);
  }
}

export function parseSettings(path: string, source: string): ReadonlyMap<string, unknown> {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const error = document.errors[0];
  if (error) {
    const at = lines.linePos(error.pos[0]);
    // The text after the last colon quotes the file.
    const why = error.message.replace(/: "[^]*$/, '').replace(/: [^:]*$/, '');
    throw problem(path, `${path} is not YAML: line ${at.line}, column ${at.col}: ${why}`);
  }
  return asMap(
    path,
    toJs(path, () => document.toJS({ mapAsMap: true, maxAliasCount: 100 }) as unknown),
  );
}

function toJs(path: string, convert: () => unknown): unknown {
  try {
    return convert();
  } catch (error) {
    throw problem(
      path,
      `${path} is not usable YAML: an alias that names nothing, or too many of them`,
      error,
    );
  }
}

function asMap(path: string, content: unknown): ReadonlyMap<string, unknown> {
  if (content === null || content === undefined) return new Map();
  if (content instanceof Map)
    return new Map([...(content as Map<unknown, unknown>)].map(([key, value]) => [asKey(key), value]));
  const found = Array.isArray(content) ? 'a list' : 'only a text';
  throw problem(path, `${path} holds no settings: expected lines of "key: value", found ${found}`);
}

function asKey(key: unknown): string {
  return typeof key === 'string' ? key : JSON.stringify(key);
}

function problem(path: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError([{ source: path, message }], { cause });
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EACCES':
      return 'not readable (permission denied)';
    case 'EISDIR':
      return 'is a directory, not a file';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'is not UTF-8 text';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
