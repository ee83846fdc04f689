// Profiles in and out of the kernel, by apparmor_parser, and what the kernel says of them.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { literal } from './quote.ts';

export const APPARMOR_CODES = ['NO_PARSER', 'REFUSED'] as const;

export class AppArmorError extends Error {
  readonly code: (typeof APPARMOR_CODES)[number];
  readonly retryable = false;

  constructor(code: AppArmorError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AppArmorError';
    this.code = code;
  }
}

const PROFILES = '/sys/kernel/security/apparmor/profiles';
/** It takes some 20 ms of a CPU; on a machine that has none to give, longer. */
const TIMEOUT_MS = 120_000;
const MAX_OUTPUT = 64 * 1024 * 1024;
/**
 * What profiles are about, whatever a later kernel mediates besides: what they have no words for is not refused. Not that
 * of the package's abi/3.0, which lacks a capability and would deny CAP_SYS_ADMIN in its place.
 */
const FEATURES = join(import.meta.dirname, '..', 'features');
/** Nothing is cached, and a rule that this kernel cannot enforce as it is written is no rule. */
const STRICT = [
  '--skip-cache',
  `--policy-features=${FEATURES}`,
  '--Werror=rule-not-enforced',
  '--Werror=rule-downgraded',
];

/** From the return on, processes under a profile of that name are held to the text; or nothing has changed. */
export function loadProfile(text: string): void {
  parse(['--replace', ...STRICT], text);
}

/** Whoever is still in it goes on without any profile, and no later one holds it again. */
export function removeProfile(name: string): void {
  parse(['--remove'], `profile "${literal(name)}" {\n}\n`);
}

/** What a kernel would be given that can enforce all that the language has words for. Needs no rights, and no AppArmor. */
export function compileProfile(text: string): Buffer {
  return parse(['--skip-kernel-load', '--stdout', '--kernel-features', FEATURES, ...STRICT], text);
}

function parse(options: readonly string[], text: string): Buffer {
  const run = spawnSync('apparmor_parser', options, {
    input: text,
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT,
  });
  if (run.error)
    throw new AppArmorError(
      'NO_PARSER',
      'code' in run.error && run.error.code === 'ENOENT'
        ? 'apparmor_parser is not there: install the package apparmor'
        : `apparmor_parser: ${run.error.message}`,
      { cause: run.error },
    );
  if (run.status === 0) return run.stdout;
  throw new AppArmorError('REFUSED', `apparmor_parser: ${lastLine(run.stderr.toString())}`);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** Names of the profiles in the kernel that are enforced. */
export function enforcedProfiles(): Set<string> {
  const lines = readFileSync(PROFILES, 'utf8').split('\n');
  return new Set(
    lines.flatMap((line) => (line.endsWith(' (enforce)') ? line.slice(0, -' (enforce)'.length) : [])),
  );
}

/** How a process is confined: `unconfined`, or `name (mode)`; undefined where it is gone. */
export function confinementOf(pid: number | string): string | undefined {
  for (const file of ['attr/apparmor/current', 'attr/current'])
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').trim();
    } catch {
      // Older kernels have only the second.
    }
  return undefined;
}

/** Profiles that processes are in. */
export function profilesInUse(): Set<string> {
  const used = new Set<string>();
  for (const pid of readdirSync('/proc'))
    if (/^[0-9]+$/.test(pid)) {
      const confinement = confinementOf(pid);
      if (confinement !== undefined) used.add(confinement.replace(/ \([a-z]+\)$/, ''));
    }
  return used;
}
