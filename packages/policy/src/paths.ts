// Paths as rules and accesses spell them: absolute, from the root of the container, without "." and "..", in UTF-8.

export const MAX_NAME_BYTES = 255;
export const MAX_PATH_BYTES = 4095;
export const MAX_COMPONENTS = 128;

/** The names of a path from the root on; none for "/". A slash at the end means nothing here. */
export function components(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** The last name of a path, which is the name of the executable. */
export function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The path of a directory as rules spell it: with a slash at the end. */
export function asDirectory(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}

/** The directories that a path lies in, as rules spell them, the nearest first, the root last. */
export function parentDirectories(path: string): string[] {
  const names = components(path);
  const directories: string[] = [];
  for (let depth = names.length - 1; depth > 0; depth--)
    directories.push(`/${names.slice(0, depth).join('/')}/`);
  if (names.length > 0) directories.push('/');
  return directories;
}

/** What is wrong with the path of a file (`dir` false) or of a directory; undefined: nothing. */
export function pathProblem(path: string, dir: boolean): string | undefined {
  if (!path.startsWith('/')) return 'is not absolute: it has to start with "/"';
  const bytes = textProblem(path);
  if (bytes !== undefined) return bytes;
  const names = path.split('/').slice(1);
  const last = names.pop() ?? '';
  if (!dir && last === '')
    return 'names a directory: a path of a file does not end with "/"; use matchDirectories';
  if (dir && last !== '') return `does not end with "/": write ${quote(`${path}/`)}`;
  if (last !== '') names.push(last);
  return path === '/' ? undefined : namesProblem(names);
}

function namesProblem(names: readonly string[]): string | undefined {
  if (names.includes('')) return 'has "//" in it: write single slashes';
  const dots = names.find((name) => name === '.' || name === '..');
  if (dots !== undefined) return `has ${quote(dots)} in it: write the path that the kernel sees`;
  if (names.length > MAX_COMPONENTS) return `has ${names.length} components, more than ${MAX_COMPONENTS}`;
  const long = names.find((name) => Buffer.byteLength(name) > MAX_NAME_BYTES);
  return long === undefined ? undefined : `has a name of more than ${MAX_NAME_BYTES} bytes: ${quote(long)}`;
}

function textProblem(path: string): string | undefined {
  if (path.includes('\0')) return 'has a zero byte in it, which no path can have';
  if (!path.isWellFormed()) return 'is no well-formed Unicode, so its bytes are unknown';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `is longer than ${MAX_PATH_BYTES} bytes`;
  return undefined;
}

/** What is wrong with the name of an executable; undefined: nothing. */
export function execnameProblem(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'is no name of a file';
  if (name.includes('/')) return 'has a slash in it: it is the last component of a path; use path';
  return textProblem(name) ?? namesProblem([name]);
}

const MAX_QUOTED = 80;

/** A text from a policy for a message: short, and without control characters that a terminal would obey. */
export function quote(text: string): string {
  const short = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}...` : text;
  return JSON.stringify(short.toWellFormed()).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
