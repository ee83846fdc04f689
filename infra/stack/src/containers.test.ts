// The compose file and the Dockerfile beside it, as far as that can be told without a container engine.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readPom } from './jars.ts';

const infra = join(import.meta.dirname, '..', '..');
const composeFile = join(infra, 'compose.yaml');
const dockerfile = readFileSync(join(infra, 'docker', 'Dockerfile'), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly user: string;
  readonly restart: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly deploy: { readonly resources: { readonly limits: Readonly<Record<string, string | number>> } };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(readFileSync(composeFile, 'utf8'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
/** They run a command and end. */
const oneShot = ['topics', 'alertctl'];

describe('compose.yaml', () => {
  it('has the whole pipeline', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      ['alertctl', 'kafka', 'producer', 'redis', 'registry', 'throttler', 'topics'], // prettier-ignore
    );
  });

  it.each(services)('keeps %s in its place', (_, service) => {
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(service.user).toMatch(/^[1-9]\d*:\d+$/);
    expect(Object.keys(service.deploy.resources.limits).sort()).toEqual(['cpus', 'memory', 'pids']);
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it.each(services.filter(([name]) => !oneShot.includes(name)))('asks %s how it is', (_, service) => {
    expect(service.healthcheck?.test.every((word) => typeof word === 'string')).toBe(true);
  });

  it('names every image with its version, the same ones as the stack of processes', () => {
    const version = (name: string): string => new RegExp(`<${name}.version>(.*)<`).exec(readPom())?.[1] ?? '';
    const image = (name: string): string | undefined => compose.services[name]?.image;
    expect(image('kafka')).toBe(`apache/kafka:${version('kafka')}`);
    expect(image('registry')).toBe(`apicurio/apicurio-registry:${version('registry')}`);
    expect(image('redis')).toMatch(/^redis:7\.0\.\d+-bookworm$/);
    for (const [, service] of services)
      expect(service.build !== undefined || service.image.includes(':')).toBe(true);
  });

  it('declares the volumes that it names', () => {
    const named = services
      .flatMap(([, service]) => service.volumes ?? [])
      .filter((volume) => /^[a-z]/.test(volume));
    for (const volume of named) expect(compose.volumes).toHaveProperty(volume.split(':')[0] ?? '');
  });

  it('is accepted by docker compose', (context) => {
    const env = { ...process.env, COMPOSE_PROFILES: 'tools' };
    const compose = spawnSync('docker', ['compose', 'version'], { env });
    context.skip(compose.status !== 0, 'needs docker with its compose plugin');
    const { status, stderr } = spawnSync('docker', ['compose', '-f', composeFile, 'config', '-q'], {
      env,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});

describe('the Dockerfile', () => {
  const stages = [...dockerfile.matchAll(/^FROM (\S+) AS (\S+)$/gm)].map(([, image, name]) => ({
    image,
    name,
  }));

  it('builds what compose.yaml wants built, from one base image', () => {
    const names = stages.map(({ name }) => name);
    const targets = services.flatMap(([, { build }]) => (build ? [build.target] : []));
    for (const target of targets) expect(names).toContain(target);
    const outside = stages.map(({ image }) => image).filter((image) => !names.includes(image));
    expect(new Set(outside)).toEqual(new Set(['node:24-bookworm-slim']));
  });

  it('needs no frontend from a registry and no newer builder', () => {
    expect(dockerfile).not.toMatch(/^#\s*(syntax|escape)\s*=/im);
    expect(dockerfile).not.toContain('<<');
    expect(dockerfile).not.toMatch(/^(RUN|COPY|ADD) --(mount|link|parents)/m);
  });

  it('runs nothing as root', () => {
    const base = dockerfile.slice(dockerfile.indexOf(' AS base'));
    expect([...base.matchAll(/^USER (\S+)$/gm)].map(([, user]) => user)).toEqual(['node']);
  });
});
