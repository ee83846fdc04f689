// Apicurio Registry through its Confluent-compatible API, with its data in an H2 file. Why: docs/adr/0002.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { jvmFlags, type Command, type Component, type StartContext } from './component.ts';
import { envOf } from './env-file.ts';
import { StackError } from './errors.ts';
import { HOST, type Ports } from './ports.ts';

export const registry: Component = {
  name: 'registry',
  title: 'Schema registry',
  ports: ['registry'],
  graceMs: 10_000,
  prepare: (context) => Promise.resolve(prepare(context)),
  probe,
};

function prepare({ layout, ports, programs, jars }: StartContext): Command {
  const home = layout.data('registry');
  const tmp = join(home, 'tmp');
  rmSync(tmp, { recursive: true, force: true });
  mkdirSync(tmp, { recursive: true });
  const properties = Object.entries(settings(ports, home)).map(([name, value]) => `-D${name}=${value}`);
  const flags = [
    ...jvmFlags({ initialMb: 64, maxMb: 256 }, tmp),
    // A handful of requests in its life: the first compiler is good enough, and leaves the cores to the others.
    '-XX:TieredStopAtLevel=1',
    '-XX:MaxMetaspaceSize=192m',
  ];
  return { file: programs.java, args: [...flags, ...properties, '-jar', runner(jars.registry)], cwd: home };
}

function runner(folder: string): string {
  const name = readdirSync(folder).find((file) => file.endsWith('-runner.jar'));
  if (name === undefined)
    throw new StackError('JARS_FAILED', `no *-runner.jar in ${folder}; delete that folder and try again`);
  return join(folder, name);
}

function settings(ports: Ports, home: string): Record<string, string | number | boolean> {
  return {
    'quarkus.profile': 'prod',
    'quarkus.http.host': HOST,
    'quarkus.http.port': ports.registry,
    'quarkus.http.access-log.enabled': false,
    'quarkus.log.level': 'WARN',
    'quarkus.log.category."io.apicurio".level': 'WARN',
    'quarkus.log.console.format': '%d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c{1.}: %m%n%e',
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    // Every id that was given out is on disk: records in Kafka name it for as long as they live.
    'apicurio.datasource.url': `jdbc:h2:file:${join(home, 'data')};WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE`,
    'apicurio.datasource.jdbc.initial-size': 2,
    'apicurio.datasource.jdbc.min-size': 2,
    'apicurio.datasource.jdbc.max-size': 10,
  };
}

const PROBE_MS = 10_000;

async function probe(ports: Ports): Promise<void> {
  const url = `${envOf(ports).SCHEMA_REGISTRY_URL}/subjects`;
  const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
  const subjects: unknown = response.ok ? await response.json() : undefined;
  if (!Array.isArray(subjects)) throw new Error(`${url} answers ${response.status}`);
}
