import { describe, expect, it } from 'vitest';
import { policiesOf } from './policy-store.ts';

function policy(name: string, path = '/etc/shadow'): string {
  return [
    'apiVersion: security.kubearmor.com/v1',
    'kind: KubeArmorPolicy',
    `metadata: { name: ${name} }`,
    `spec: { selector: {}, file: { matchPaths: [{ path: ${path} }] }, action: Block }`,
    '',
  ].join('\n');
}

const BROKEN = 'kind: [';

function inForce(files: Record<string, string | Error>, lastGood: Record<string, string> = {}) {
  const { policies, refused, texts } = policiesOf(new Map(Object.entries(files)), lastGood);
  return {
    policies: policies.map(({ name, rules }) => `${name} ${rules[0]?.path ?? ''}`).sort(),
    refused: [...refused.keys()],
    files: Object.keys(texts).sort(),
  };
}

describe('policiesOf', () => {
  it('takes all files that can be used', () => {
    expect(inForce({ 'a.yaml': policy('a'), 'b.yaml': `${policy('b')}---\n${policy('c')}` })).toEqual({
      policies: ['a /etc/shadow', 'b /etc/shadow', 'c /etc/shadow'],
      refused: [],
      files: ['a.yaml', 'b.yaml'],
    });
  });

  it('keeps what a file said last while it cannot be used, and nothing of it otherwise', () => {
    const files = { 'a.yaml': BROKEN, 'b.yaml': policy('b') };
    expect(inForce(files, { 'a.yaml': policy('a', '/etc/old') })).toEqual({
      policies: ['a /etc/old', 'b /etc/shadow'],
      refused: ['a.yaml'],
      files: ['a.yaml', 'b.yaml'],
    });
    expect(inForce(files)).toEqual({ policies: ['b /etc/shadow'], refused: ['a.yaml'], files: ['b.yaml'] });
  });

  it('takes a file whole or not at all', () => {
    expect(inForce({ 'a.yaml': `${policy('a')}---\n${BROKEN}` })).toMatchObject({ policies: [] });
  });

  it('forgets a file that is gone', () => {
    expect(inForce({}, { 'a.yaml': policy('a') })).toEqual({ policies: [], refused: [], files: [] });
  });

  it('refuses the second of two policies with one name, and what it said last if that clashes as well', () => {
    const files = { 'a.yaml': policy('same'), 'b.yaml': policy('same', '/b') };
    const lastGood = { 'b.yaml': policy('same', '/before') };
    expect(inForce(files, lastGood)).toEqual({
      policies: ['same /etc/shadow'],
      refused: ['b.yaml'],
      files: ['a.yaml'],
    });
  });

  it('says what is wrong, with the place', () => {
    const { refused } = policiesOf(new Map([['a.yaml', new Error('permission denied')]]), {});
    expect([...refused]).toEqual([['a.yaml', ['a.yaml: permission denied']]]);
  });
});
