/** Names against the numbers that the kernel programs use for them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CAPABILITIES,
  capabilityNumber,
  isCapability,
  isProtocol,
  PROTOCOLS,
  protocolNumber,
} from './names.ts';
import { MAX_RULE_NUMBER } from './rule-numbers.ts';
import { MAX_COMPONENTS, MAX_NAME_BYTES, MAX_PATH_BYTES } from './paths.ts';
import { ACTIONS, KINDS, MATCHES } from './types.ts';

const layout = readFileSync(join(import.meta.dirname, '../../../bpf/include/layout.h'), 'utf8').replace(
  /\/\*[\s\S]*?\*\//g,
  '',
);

/** The names of an enum in the layout, without their prefix and the count at the end. */
function namesOf(enumName: string, prefix: string): string[] {
  const body = new RegExp(`enum ${enumName} \\{([^}]*)\\}`).exec(layout)?.[1] ?? '';
  return body
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
}

const upper = (names: readonly string[]): string[] =>
  names.map((name) => name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toUpperCase());

describe('names', () => {
  it('are numbered as in the layout', () => {
    expect(namesOf('at_protocol', 'AT_PROTOCOL_')).toEqual(upper(PROTOCOLS));
    expect(namesOf('at_kind', 'AT_KIND_')).toEqual(upper(KINDS));
    expect(namesOf('at_match', 'AT_MATCH_')).toEqual(upper(MATCHES));
    expect(namesOf('at_action', 'AT_ACTION_')).toEqual(upper(ACTIONS));
    expect(PROTOCOLS.map(protocolNumber)).toEqual([...PROTOCOLS.keys()]);
  });

  it('of capabilities are numbered as in linux/capability.h', () => {
    const known = {
      chown: 0,
      kill: 5,
      net_raw: 13,
      sys_admin: 21,
      mknod: 27,
      mac_admin: 33,
      checkpoint_restore: 40,
    };
    for (const [name, number] of Object.entries(known)) {
      if (!isCapability(name)) throw new Error(name);
      expect(capabilityNumber(name), name).toBe(number);
    }
    expect(CAPABILITIES).toHaveLength(41);
  });

  it('are known as they are written, and no others', () => {
    expect(isProtocol('tcp')).toBe(true);
    expect(isProtocol('TCP')).toBe(false);
    expect(isCapability('cap_chown')).toBe(false);
  });
});

describe('limits', () => {
  it('are those of the layout', () => {
    const defined = (name: string): number =>
      Number(new RegExp(`#define ${name} (\\w+?)u?\\s`).exec(layout)?.[1]);
    expect(defined('AT_NAME_MAX')).toBe(MAX_NAME_BYTES);
    expect(defined('AT_PATH_MAX')).toBe(MAX_PATH_BYTES);
    expect(defined('AT_DEPTH_MAX')).toBe(MAX_COMPONENTS);
    expect(defined('AT_RULE_POSTURE')).toBe(MAX_RULE_NUMBER + 1);
  });
});
