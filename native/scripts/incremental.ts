// A product is made again only when what it is made of has changed: files, command lines, versions of the compilers.
import { createHash } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Product {
  /** What is made; beside it lies `<output>.inputs` with the digest of what it was made of. */
  readonly output: string;
  readonly inputs: readonly string[];
  readonly compiler: string;
  /** Run one after the other. `OUTPUT` in an argument stands for the product, under a name of its own until it is whole. */
  readonly commands: readonly (readonly string[])[];
  /** Further names like OUTPUT for files that only live during the build. */
  readonly intermediates?: readonly string[];
}

/** A compiler refused; the message holds what it said. */
export class BuildError extends Error {
  readonly code = 'BUILD_FAILED';
  readonly retryable = false;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BuildError';
  }
}

/** Whether there was anything to do. */
export async function make(product: Product): Promise<boolean> {
  const { output } = product;
  const digest = digestOf(product);
  const note = `${output}.inputs`;
  if (existsSync(output) && existsSync(note) && readFileSync(note, 'utf8') === digest) return false;
  mkdirSync(dirname(output), { recursive: true });
  // Two builds at once, as in parallel test runs, do not see each other's halves.
  const temporary = `${output}.${process.pid}`;
  const nameOf = new Map([['OUTPUT', temporary]]);
  for (const name of product.intermediates ?? []) nameOf.set(name, `${temporary}.${name.toLowerCase()}`);
  try {
    for (const command of product.commands)
      await run(command.map((argument) => nameOf.get(argument) ?? argument));
    rmSync(note, { force: true });
    renameSync(temporary, output);
    writeFileSync(note, digest);
  } finally {
    for (const file of nameOf.values()) rmSync(file, { force: true });
  }
  return true;
}

/** Files of a folder and all below it with one of these endings, in a fixed order. */
export function filesUnder(folder: string, endings: readonly string[]): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort()
    .map((name) => join(folder, name));
}

function digestOf({ inputs, compiler, commands }: Product): string {
  const hash = createHash('sha256');
  hash.update(spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout);
  hash.update(JSON.stringify(commands));
  for (const file of inputs) hash.update(JSON.stringify(file)).update(readFileSync(file));
  return hash.digest('hex');
}

async function run(command: readonly string[]): Promise<void> {
  const [program = '', ...argv] = command;
  const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => said.push(piece));
  child.stderr.on('data', (piece: Buffer) => said.push(piece));
  const status = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  const output = Buffer.concat(said).toString('utf8').trim();
  if (status !== 0) throw new BuildError(`${program} failed (${String(status)}):\n${output}`);
  if (output !== '') process.stderr.write(`${output}\n`);
}
