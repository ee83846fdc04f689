// Runs before each test file of the projects that need the stack: its addresses are in the environment there, as they
// are for the services. Unit tests do not get them, wherever their stack comes from.
import { inject } from 'vitest';
import type {} from './global-setup.ts';

Object.assign(process.env, inject('stack'));
