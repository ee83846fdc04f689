import { expect, it } from 'vitest';
import type { ProcessFacts } from '../adapters/processes.ts';
import { phaseOf } from './readiness.ts';

const HOST = 1;

function facts(more: Partial<ProcessFacts> = {}): ProcessFacts {
  const base = { pid: 7, startedAt: 1, ageMs: 0, pidNs: 5, mntNs: 2, ownRoot: true, ownProgram: true };
  return { ...base, privileged: false, rootDev: 1n, rootIno: 2n, ...more };
}

it.each([
  ['a runtime in the host', facts({ mntNs: HOST, ownProgram: false }), 60_000, 'outside'],
  ['before its root is changed', facts({ ownRoot: false, ownProgram: false }), 999, 'outside'],
  ['after that', facts({ ownProgram: false }), 0, 'built'],
  ['with its own program', facts(), 0, 'running'],
  ['on the root of the host, at first', facts({ ownRoot: false }), 999, 'outside'],
  ['on the root of the host, later', facts({ ownRoot: false }), 1_000, 'running'],
  ['without any exec', facts({ ownProgram: false }), 10_000, 'running'],
])('%s', (_, process, insideForMs, phase) => {
  expect(phaseOf(process, { hostMntNs: HOST, insideForMs, wasThere: false })).toBe(phase);
});

it('does not wait for what was there before', () => {
  const seen = { hostMntNs: HOST, insideForMs: 0, wasThere: true };
  const old = { ownRoot: false, ageMs: 1_000 };
  expect(phaseOf(facts(old), seen)).toBe('running');
  expect(phaseOf(facts({ ...old, ownProgram: false }), seen)).toBe('built');
});

it('waits where a runtime may still be building what was there', () => {
  const seen = { hostMntNs: HOST, insideForMs: 0, wasThere: true };
  expect(phaseOf(facts({ ownRoot: false, ageMs: 999 }), seen)).toBe('outside');
});
