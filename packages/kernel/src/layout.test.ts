// layout.ts against the compiler's view of the headers: every struct, every field, every list of names.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMissing, findToolchain, ROOT } from '@alert-throttle/native/build';
import { ACTIONS, KINDS, MATCHES, PROTOCOLS } from '@alert-throttle/policy';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as layout from './layout.ts';

const { found, missing } = findToolchain();

/** camelCase to the C names: `mapExec` with `AT_OP_` is `AT_OP_MAP_EXEC`. */
function cName(prefix: string, name: string): string {
  return prefix + name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

const ENUMS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  AT_OP_: inOrder(layout.OPERATIONS),
  AT_RING_: inOrder(layout.RINGS),
  AT_COUNTER_: inOrder(layout.COUNTERS),
  AT_POSTURE_: inOrder(layout.POSTURES),
  AT_ENDED_BY_: inOrder(layout.ENDED_BY.map((name) => (name === '' ? 'none' : name))),
  AT_KIND_: inOrder(KINDS),
  AT_MATCH_: inOrder(MATCHES),
  AT_ACTION_: inOrder(ACTIONS.map((name) => name.toLowerCase())),
  AT_PROTOCOL_: inOrder(PROTOCOLS),
  AT_EVENT_: { ...layout.EVENT, ...layout.EVENT_FLAG },
  AT_HAS_: layout.HAS,
  AT_COND_: { readOnly: layout.COND_READ_ONLY, ownerOnly: layout.COND_OWNER_ONLY },
  AT_CONTAINER_: {
    privileged: layout.CONTAINER_PRIVILEGED,
    gated: layout.CONTAINER_GATED,
    starting: layout.CONTAINER_STARTING,
  },
  AT_THROTTLE_: { removed: layout.THROTTLE_REMOVED },
};

/** Names that C has for the number of elements, and other single numbers. */
const NUMBERS: Readonly<Record<string, number>> = {
  AT_OPS: layout.OPERATIONS.length,
  AT_RINGS: layout.RINGS.length,
  AT_COUNTERS: layout.COUNTERS.length,
  AT_KINDS: KINDS.length,
  AT_ACTIONS: ACTIONS.length,
  AT_PROTOCOLS: PROTOCOLS.length,
  AT_LAYOUT_VERSION: layout.LAYOUT_VERSION,
  AT_NAME_MAX: layout.NAME_MAX,
  AT_PROFILES_MAX: layout.PROFILES_MAX,
  AT_RULES_COUNTED: layout.RULES_COUNTED,
  AT_RULE_POSTURE: layout.RULE_POSTURE,
  AT_INTERVALS: layout.INTERVALS,
  AT_SEGMENTS: layout.SEGMENTS,
};

function inOrder(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, i]));
}

function program(): string {
  const lines: string[] = [];
  for (const [struct, { fields }] of Object.entries(layout.STRUCTS)) {
    lines.push(`printf("${struct} %zu\\n", sizeof(struct ${struct}));`);
    for (const field of Object.keys(fields))
      lines.push(
        `printf("${struct}.${field} %zu %zu\\n", offsetof(struct ${struct}, ${field}), sizeof(((struct ${struct} *)0)->${field}));`,
      );
  }
  const constants = [
    ...Object.entries(ENUMS).flatMap(([prefix, names]) =>
      Object.keys(names).map((name) => cName(prefix, name)),
    ),
    ...Object.keys(NUMBERS),
  ];
  for (const constant of constants) lines.push(`printf("${constant} %lld\\n", (long long)${constant});`);
  return `#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "layout.h"
#include "interval.h"
#include "account.h"
int main(void) {
${lines.join('\n')}
return 0;
}
`;
}

describe.skipIf(found === undefined)(`the layout${found ? '' : `: ${describeMissing(missing)}`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'alert-throttle-layout-'));
  let compiled: ReadonlyMap<string, readonly number[]> = new Map();

  beforeAll(() => {
    const [source, binary] = [join(folder, 'layout.c'), join(folder, 'layout')];
    writeFileSync(source, program());
    execFileSync(found?.cxx ?? '', ['-x', 'c', '-I', join(ROOT, 'bpf', 'include'), source, '-o', binary]);
    const lines = execFileSync(binary, { encoding: 'utf8' }).trim().split('\n');
    compiled = new Map(
      lines.map((line) => {
        const [name = '', ...numbers] = line.split(' ');
        return [name, numbers.map(Number)];
      }),
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(Object.entries(layout.STRUCTS))('%s', (name, struct) => {
    const fields = Object.entries(struct.fields as Record<string, { readonly size: number }>);
    const offsets = struct.offsets as Readonly<Record<string, number>>;
    expect(fields.map(([field, { size }]) => [field, offsets[field], size])).toEqual(
      fields.map(([field]) => [field, ...(compiled.get(`${name}.${field}`) ?? [])]),
    );
    // All of it: nothing hidden between the fields, and no field left out at the end.
    expect(struct.size).toBe(compiled.get(name)?.[0]);
    expect(fields.reduce((sum, [, { size }]) => sum + size, 0)).toBe(struct.size);
  });

  test.each(Object.entries(ENUMS))('%s*', (prefix, names) => {
    expect(names).toEqual(
      Object.fromEntries(Object.keys(names).map((name) => [name, compiled.get(cName(prefix, name))?.[0]])),
    );
  });

  test('numbers', () => {
    expect(NUMBERS).toEqual(
      Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, compiled.get(name)?.[0]])),
    );
  });
});
