import type { CompiledRule } from '@alert-throttle/policy';
import { describe, expect, it } from 'vitest';
import { RuleBook } from './rule-book.ts';

function rule(number: number, policy: string, path = '/etc/secret'): CompiledRule {
  return {
    ...{ number, path, kind: 'file', match: 'exact', action: 'Block', readOnly: false, ownerOnly: false },
    ...{ severity: '5', tags: [], message: '', policy: { name: policy, namespace: 'default' } },
  };
}

describe('the rule book', () => {
  it('knows what is new, and keeps the path that the policy says', () => {
    const book = new RuleBook([rule(1, 'a')]);
    expect(book.add([rule(1, 'a', '/usr/etc/secret')])).toBe(false);
    expect(book.add([rule(1, 'a'), rule(2, 'b')])).toBe(true);
    expect(book.get(1)?.path).toBe('/etc/secret');
  });

  it('gives no number to a second rule, also when the set of the first is gone', () => {
    const book = new RuleBook([rule(1, 'a')]);
    expect(() => book.add([rule(2, 'b'), rule(1, 'b')])).toThrow(/policy b has the number 1.*policy a/);
    expect(book.get(1)?.policy.name).toBe('a');
    expect(book.get(2)).toBeUndefined();
  });
});
