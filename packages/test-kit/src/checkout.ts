// The root of the checkout, from which services are started and under which test stacks lie.
import { join } from 'node:path';

export const checkout = join(import.meta.dirname, '..', '..', '..');
