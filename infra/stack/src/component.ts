// What the launcher needs to know of a server: how it is started, and how one sees that it serves.
import type { ComponentName, Layout } from './layout.ts';
import type { Jars } from './jars.ts';
import type { PortName, Ports } from './ports.ts';
import type { Programs } from './programs.ts';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly argv0?: string;
}

export interface StartContext {
  readonly layout: Layout;
  readonly ports: Ports;
  readonly programs: Programs;
  readonly jars: Jars;
  readonly signal?: AbortSignal | undefined;
}

export interface Component {
  readonly name: ComponentName;
  readonly title: string;
  /** The first one is that of its address. */
  readonly ports: readonly PortName[];
  /** How long it may take to end when asked to. */
  readonly graceMs: number;
  /** Writes its configuration, makes what its data need, and says what to run. */
  prepare(context: StartContext): Promise<Command>;
  /** Rejects while it does not answer. */
  probe(ports: Ports): Promise<void>;
  /** After a start, once it answers: rejects while something that comes later is not usable yet. */
  settle?(ports: Ports): Promise<void>;
}

/** Flags of both JVMs: only loopback, no files in /tmp that outlive a kill, no crash dumps of the heap. */
export function jvmFlags(
  heap: { readonly initialMb: number; readonly maxMb: number },
  tmp: string,
): string[] {
  return [
    `-Xms${heap.initialMb}m`,
    `-Xmx${heap.maxMb}m`,
    // With two cores the concurrent collectors take one of them from the servers.
    '-XX:+UseSerialGC',
    '-XX:-UsePerfData',
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.net.preferIPv4Stack=true',
    '-Djava.awt.headless=true',
    `-Djava.io.tmpdir=${tmp}`,
  ];
}
