import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkout } from './checkout.ts';
import { IMAGES } from './container-stack.ts';

it.each(Object.values(IMAGES))('tests against the same %s as infra/compose.yaml', (image) => {
  expect(readFileSync(join(checkout, 'infra', 'compose.yaml'), 'utf8')).toContain(`image: ${image}\n`);
});
