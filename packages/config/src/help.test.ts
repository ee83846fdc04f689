import { expect, test } from 'vitest';
import { sharedSettings } from './groups.ts';
import { settingsHelp } from './help.ts';
import { nearest, wrap } from './text.ts';

test('given every setting, then the help lists each with its default, at most 100 columns wide and aligned', () => {
  const lines = settingsHelp(sharedSettings).split('\n');
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  for (const { env, key } of Object.values(sharedSettings))
    expect(lines.filter((line) => line.startsWith(`  ${env} `) && line.includes(` ${key} `))).toHaveLength(1);
  const starts = Object.values(sharedSettings).map(({ env, key }) =>
    lines.find((line) => line.startsWith(`  ${env} `))?.indexOf(` ${key} `),
  );
  expect(new Set(starts).size).toBe(1);
  expect(lines.join('\n')).toContain('(127.0.0.1:9092)');
});

test('given a long word, when wrapped, then it is cut, and no line is too long', () => {
  expect(wrap('a bcdefghij k', 4)).toEqual(['a', 'bcde', 'fghi', 'j k']);
  expect(wrap('', 4)).toEqual([]);
});

test('given a name, then the nearest known one is found, or none', () => {
  expect(nearest('throtleSec', ['throttleSec', 'rawTopic'])).toBe('throttleSec');
  expect(nearest('THROTTLE_SEC', ['throttleSec', 'rawTopic'])).toBe('throttleSec');
  expect(nearest('x', ['throttleSec', 'rawTopic'])).toBeUndefined();
});
