// A prober in memory: what it says of containers is what a test says. The real one is tested with processes that hang.
import type { Prober, Targets } from '../adapters/prober.ts';
import type { ProcessFacts } from '../adapters/processes.ts';

export class MemoryProber implements Prober {
  /** Where paths lead inside every container. */
  links: Readonly<Record<string, string>> = {};
  /** Paths that do not answer. */
  silent: readonly string[] = [];
  slow = false;
  process: ProcessFacts | undefined;
  /** Which process was asked for which paths. */
  readonly asked: { readonly pid: number; readonly paths: readonly string[] }[] = [];

  facts(): Promise<ProcessFacts | undefined> {
    return Promise.resolve(this.process);
  }

  paths(_container: bigint, { pid }: { pid: number }, paths: readonly string[]): Promise<Targets> {
    this.asked.push({ pid, paths });
    const answered = paths.filter((path) => !this.silent.includes(path));
    return Promise.resolve({
      isThere: true,
      targets: new Map(answered.map((path) => [path, this.links[path] ?? path])),
      unanswered: new Map(
        paths.filter((path) => this.silent.includes(path)).map((path) => [path, 'no answer within 5 s']),
      ),
    });
  }

  isSlow(): boolean {
    return this.slow;
  }

  forget(): void {
    // Knows nothing.
  }

  close(): void {
    // Holds nothing.
  }
}
