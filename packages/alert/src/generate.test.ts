import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generate, GENERATED, generateTypes } from './generate.ts';

describe('the generated types', () => {
  it('are those of the schema: run `npm run generate` if this fails', () => {
    expect(readFileSync(GENERATED, 'utf8')).toBe(generate());
  });

  it('say on line 1 that they are generated', () => {
    expect(generate().split('\n')[0]).toMatch(/generated/i);
  });

  it('are refused for what the generator does not know, rather than written wrong', () => {
    const field = { name: 'Size', type: 'float', default: 0 };
    expect(() => generateTypes({ type: 'record', name: 'R', fields: [field] })).toThrow('float');
  });

  it('are refused for a field without a default', () => {
    expect(() => generateTypes({ type: 'record', name: 'R', fields: [{ name: 'A', type: 'int' }] })).toThrow(
      'A has no',
    );
  });
});
