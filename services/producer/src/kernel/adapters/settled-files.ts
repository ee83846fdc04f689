// Follows files of one folder: tells what they all say, once at the start and after each change.
//
// A text is believed only when it is found twice in a row: a file that is written in place is empty for a moment, or
// ends within a rule, and both would be valid. The folder is watched, not the files: editors rename a new file over the
// old one, and a ConfigMap volume swaps a symbolic link beside them.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { watch } from 'chokidar';
import { codeOf, reasonOf } from '../../errors.ts';

/** What there is to read, by name. A file that cannot be read is an Error that says why. */
export type Texts = ReadonlyMap<string, string | Error>;

export interface SettledFilesOptions {
  readonly folder: string;
  /** Which of the folder's files are meant. */
  readonly isMeant: (name: string) => boolean;
  readonly onTexts: (texts: Texts) => void;
  /** The folder cannot be read; what was told last remains. Once for each new reason. */
  readonly onFolderError: (reason: string) => void;
  /** How long the folder must be still before it is read. */
  readonly debounceMs?: number;
  /** How often it is read although nothing was announced: some file systems announce nothing. */
  readonly pollMs?: number;
}

export interface SettledFiles {
  close(): Promise<void>;
}

const DEBOUNCE_MS = 200;
const POLL_MS = 5_000;
const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Tells the texts that are there now before it returns; later ones as they change. */
export function followFiles(options: SettledFilesOptions): SettledFiles {
  const { folder, onTexts, debounceMs = DEBOUNCE_MS, pollMs = POLL_MS } = options;
  let told: Texts | undefined;
  let candidate: Texts | undefined;
  let trouble: string | undefined;
  let debounce: NodeJS.Timeout | undefined;

  const tell = (texts: Texts): void => {
    told = texts;
    onTexts(texts);
  };
  const readTexts = (): Texts | undefined => {
    try {
      const texts = textsOf(options);
      trouble = undefined;
      return texts;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== trouble) options.onFolderError(reason);
      trouble = reason;
      return undefined;
    }
  };
  const soon = (): void => {
    clearTimeout(debounce);
    debounce = setTimeout(look, debounceMs);
  };
  const look = (): void => {
    const texts = readTexts();
    if (texts === undefined) return;
    const settled = same(texts, candidate);
    candidate = texts;
    if (!settled) soon();
    else if (!same(texts, told)) tell(texts);
  };

  const first = readTexts();
  candidate = first;
  if (first !== undefined) tell(first);
  const poll = setInterval(soon, pollMs).unref();
  const watcher = watch(folder, { depth: 0, followSymlinks: false, ignoreInitial: true });
  // Polling goes on where watching fails, for want of inotify watches for example.
  watcher
    .on('all', soon)
    .on('raw', soon)
    .on('error', () => undefined);
  return {
    close: async () => {
      clearTimeout(debounce);
      clearInterval(poll);
      await watcher.close();
    },
  };
}

function textsOf({ folder, isMeant }: SettledFilesOptions): Texts {
  const names = readdirSync(folder).filter(isMeant).sort();
  if (names.length > MAX_FILES) throw new Error(`${folder} has more than ${MAX_FILES} files`);
  const texts = new Map<string, string | Error>();
  for (const name of names) {
    const text = textOf(join(folder, name));
    if (text !== undefined) texts.set(name, text);
  }
  return texts;
}

/** Undefined where it is gone by now, or is no file. */
function textOf(path: string): string | Error | undefined {
  try {
    const found = statSync(path);
    if (!found.isFile()) return undefined;
    if (found.size > MAX_FILE_BYTES) return new Error(`${found.size} bytes are too many`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA') return new Error('it is not UTF-8 text');
    return new Error(reasonOf(error));
  }
}

function same(left: Texts, right: Texts | undefined): boolean {
  if (left.size !== right?.size) return false;
  return [...left].every(([name, text]) => {
    const other = right.get(name);
    return text instanceof Error || other instanceof Error
      ? isDeepStrictEqual(messageOf(text), messageOf(other))
      : text === other;
  });
}

function messageOf(text: string | Error | undefined): string | undefined {
  return text instanceof Error ? text.message : text;
}
