/** Whatever a file has in it, it is read or refused; nothing is left out in silence. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { renderPath } from './problems.ts';
import { readPolicies } from './read-policies.ts';

const meta = {
  severity: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
  tags: fc.option(fc.array(fc.string({ maxLength: 8 }), { maxLength: 2 }), { nil: undefined }),
  message: fc.option(fc.string({ maxLength: 20 }), { nil: undefined }),
  action: fc.option(fc.constantFrom('Allow', 'Audit', 'Block'), { nil: undefined }),
};
const path = fc.constantFrom('/a', '/etc/passwd', '/usr/bin/größe');
const fromSource = fc.option(fc.array(fc.record({ path }), { minLength: 1, maxLength: 2 }), {
  nil: undefined,
});
const flag = fc.option(fc.boolean(), { nil: undefined });
const sections = {
  process: fc.record({
    matchPaths: fc.array(fc.record({ path, ownerOnly: flag, fromSource, ...meta }), { maxLength: 2 }),
    ...meta,
  }),
  file: fc.record({
    matchPaths: fc.array(fc.record({ path, readOnly: flag, fromSource, ...meta }), { maxLength: 2 }),
    matchDirectories: fc.array(fc.record({ dir: fc.constantFrom('/', '/a/'), recursive: flag, ...meta }), {
      maxLength: 2,
    }),
    ...meta,
  }),
  network: fc.record({
    matchProtocols: fc.array(fc.record({ protocol: fc.constantFrom('tcp', 'UDP'), fromSource, ...meta }), {
      maxLength: 2,
    }),
  }),
};

/** Without the fields that are undefined: YAML would write them as null. */
const anyDocument = fc
  .record({ ...meta, ...sections })
  .map((spec) => ({
    apiVersion: 'security.kubearmor.com/v1',
    kind: 'KubeArmorPolicy',
    metadata: { name: 'p', namespace: 'space' },
    spec,
  }))
  .map((document) => JSON.parse(JSON.stringify(document)) as Record<string, unknown>);

/** Paths of all objects in a value, its own first. */
function objectPaths(value: unknown, at: readonly PropertyKey[] = []): (readonly PropertyKey[])[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => objectPaths(item, [...at, i]));
  if (typeof value !== 'object' || value === null) return [];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => objectPaths(inner, [...at, key]))];
}

function at(value: unknown, keys: readonly PropertyKey[]): Record<PropertyKey, unknown> {
  return keys.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)[key], value) as Record<
    PropertyKey,
    unknown
  >;
}

describe('readPolicies, for every file', { timeout: 60_000 }, () => {
  it('reads what is supported, as YAML and as JSON', () => {
    fc.assert(
      fc.property(anyDocument, (document) => {
        const [yaml, json] = [stringify(document), JSON.stringify(document)].map((text) =>
          readPolicies([{ file: 'p', text }]),
        );
        expect(yaml?.problems).toEqual([]);
        expect(yaml?.policies).toHaveLength(1);
        expect(json?.policies).toEqual(yaml?.policies);
      }),
    );
  });

  it('refuses one unknown field anywhere, at its place and by its name', () => {
    fc.assert(
      fc.property(
        anyDocument,
        fc.nat(),
        fc.constantFrom('unheard', 'matchPatterns', 'pts'),
        (document, pick, field) => {
          const paths = objectPaths(document);
          const place = paths[pick % paths.length] ?? [];
          at(document, place)[field] = [];
          const { policies, problems } = readPolicies([{ file: 'p', text: stringify(document) }]);
          expect(policies).toEqual([]);
          expect(problems.map((problem) => problem.path)).toEqual([renderPath([...place, field])]);
          expect(problems[0]?.line).toBeGreaterThan(0);
        },
      ),
    );
  });

  it('refuses a wrong value anywhere', () => {
    const odd = fc.constantFrom<unknown>(null, -1, 1.5, {}, [[]]);
    fc.assert(
      fc.property(anyDocument, fc.nat(), odd, (document, pick, value) => {
        const places = objectPaths(document).flatMap((place) =>
          Object.keys(at(document, place)).map((key): [readonly PropertyKey[], string] => [place, key]),
        );
        const [place, key] = places[pick % places.length] ?? [[], ''];
        const sections = ['metadata', 'spec', 'process', 'file', 'network'];
        // An object without fields is a section without rules, or lacks a field that it must have.
        if (sections.includes(key) && JSON.stringify(value) === '{}') return;
        at(document, place)[key] = value;
        const { policies, problems } = readPolicies([{ file: 'p', text: stringify(document) }]);
        expect(policies).toEqual([]);
        expect(problems[0]?.path.startsWith(renderPath([...place, key]))).toBe(true);
      }),
    );
  });

  it('never throws, and says something about everything that is no policy', () => {
    const letters = fc.constantFrom(...'abk:-[]{}&*!|>%@#"\'\n \t,?~0'.split(''));
    const text = fc.oneof(
      fc.string({ unit: letters, maxLength: 60 }),
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.jsonValue().map((value) => stringify(value)),
    );
    fc.assert(
      fc.property(text, (anything) => {
        const { policies, problems, warnings } = readPolicies([{ file: 'p', text: anything }]);
        expect(policies).toEqual([]);
        expect(problems.length + warnings.length).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });
});
